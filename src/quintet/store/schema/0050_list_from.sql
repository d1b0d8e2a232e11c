ALTER TABLE mailing_list ADD COLUMN rewrite TEXT NOT NULL DEFAULT 'no';
ALTER TABLE mailing_list ADD COLUMN rewrite_when TEXT NOT NULL DEFAULT 'policy';
-- Whose name a post bears: the author's ('no'), the list's with the author in Reply-To ('munge'), or the list's
-- on a message that holds the post ('wrap').  'policy' does so only where the author's domain asks receivers to
-- refuse what it did not send itself, 'always' to every post.
