-- The numbered invariants: each statement finds what breaks one.  Read by `store.check`.

-- 1: counts of a folder differ from its entries
SELECT f.id, f.messages, f.unseen, f.deleted, f.bytes, n, u, d, b
FROM folder f
LEFT JOIN ( SELECT folder_id, count(*) AS n, sum(1 - (flags & 1)) AS u, sum((flags & 8) / 8) AS d,
sum(size) AS b
FROM entry
WHERE hidden = 0
GROUP BY folder_id) c ON c.folder_id = f.id
WHERE f.messages <> coalesce(n, 0) OR f.unseen <> coalesce(u, 0) OR f.deleted <> coalesce(d, 0) OR
f.bytes <> coalesce(b, 0);

-- 2: use of an account differs from its entries
SELECT a.id, a.used_messages, a.used_bytes, n, b
FROM account a
LEFT JOIN ( SELECT f.account_id, count(*) AS n, sum(e.size) AS b
FROM entry e
JOIN folder f ON f.id = e.folder_id
GROUP BY f.account_id) c ON c.account_id = a.id
WHERE a.used_messages <> coalesce(n, 0) OR a.used_bytes <> coalesce(b, 0);

-- 3: entry without its message
SELECT e.folder_id, e.uid
FROM entry e
WHERE NOT EXISTS (SELECT 1
FROM message m
WHERE m.id = e.message_id);

-- 4: entry's size differs from its message's
SELECT e.folder_id, e.uid, e.size, m.size
FROM entry e
JOIN message m ON m.id = e.message_id
WHERE e.size <> m.size;

-- 5: message's blob is missing
SELECT m.id, m.blob_id
FROM message m
WHERE m.blob_id IS NOT NULL
AND NOT EXISTS (SELECT 1
FROM blob b
WHERE b.id = m.blob_id);

-- 6: message's size is not prefix and blob
SELECT m.id, m.size, length(m.prefix), b.size
FROM message m
JOIN blob b ON b.id = m.blob_id
WHERE m.size <> length(m.prefix) + b.size;

-- 7: number at or above the folder's next
SELECT e.folder_id, e.uid, f.uid_next
FROM entry e
JOIN folder f ON f.id = e.folder_id
WHERE e.uid >= f.uid_next OR e.uid < 1;

-- 8: number below the folder's low mark
SELECT e.folder_id, e.uid, f.low
FROM entry e
JOIN folder f ON f.id = e.folder_id
WHERE e.uid < f.low AND e.hidden = 0;

-- 9: low mark above the next number
SELECT id, low, uid_next
FROM folder
WHERE low > uid_next;

-- 10: change number above the account's
SELECT f.id, f.highest_modseq, a.modseq
FROM folder f
JOIN account a ON a.id = f.account_id
WHERE f.highest_modseq > a.modseq OR f.changed_modseq > a.modseq;

-- 11: entry's change number above the folder's
SELECT e.folder_id, e.uid, e.modseq, f.highest_modseq
FROM entry e
JOIN folder f ON f.id = e.folder_id
WHERE e.modseq > f.highest_modseq;

-- 12: change numbers of an entry in no order
SELECT folder_id, uid
FROM entry
WHERE created_modseq > modseq OR content_modseq > modseq OR read_modseq > modseq OR created_modseq < 1;

-- 13: tombstone for a number that is there
SELECT t.folder_id, t.uid
FROM tombstone t
JOIN entry e ON e.folder_id = t.folder_id AND e.uid = t.uid;

-- 14: tombstone beyond the folder
SELECT t.folder_id, t.uid
FROM tombstone t
JOIN folder f ON f.id = t.folder_id
WHERE t.uid >= f.uid_next OR t.modseq > f.highest_modseq;

-- 15: message without entry, queue, doom or way back
SELECT m.id
FROM message m
WHERE NOT EXISTS (SELECT 1
FROM entry e
WHERE e.message_id = m.id)
AND NOT EXISTS (SELECT 1
FROM queue q
WHERE q.message_id = m.id)
AND NOT EXISTS (SELECT 1
FROM garbage g
WHERE g.message_id = m.id)
AND NOT EXISTS (SELECT 1
FROM expunged x
WHERE x.message_id = m.id);

-- 16: blob without message
SELECT b.id
FROM blob b
WHERE NOT EXISTS (SELECT 1
FROM message m
WHERE m.blob_id = b.id);

-- 17: blob in its row of another size
SELECT id, size, length(data)
FROM blob
WHERE place = 0 AND (data IS NULL OR length(data) <> size);

-- 18: blob both in row and beside it
SELECT id
FROM blob
WHERE place = 1 AND data IS NOT NULL;

-- 19: object number not below the counter
SELECT e.id, c.next
FROM entry e, counter c
WHERE c.name = 'id' AND e.id >= c.next;

-- 20: queued message without recipient
SELECT q.id
FROM queue q
WHERE NOT EXISTS (SELECT 1
FROM queue_recipient r
WHERE r.queue_id = q.id);

-- 21: recipient in an unknown state, or a lease without owner
SELECT id, state
FROM queue_recipient
WHERE state NOT IN ('waiting', 'leased', 'held', 'failed')
OR (state = 'leased' AND lease_owner = '')
OR (state <> 'leased' AND lease_until <> 0);

-- 27: waiting recipient that no lane looks for in time
SELECT r.id, r.domain, r.due_at
FROM queue_recipient r
LEFT JOIN queue_lane l ON l.domain = r.domain AND l.rank = r.rank
WHERE r.state = 'waiting'
AND (l.domain IS NULL OR (l.due_at > r.due_at AND l.due_at > l.rest_until));

-- 22: folder's parent is not the level above
SELECT c.id, c.name, p.name
FROM folder c
JOIN folder p ON p.id = c.parent_id
WHERE p.account_id <> c.account_id OR substr(c.name, 1, length(p.name) + 1) <> p.name || '/';

-- 23: more than one active script
SELECT account_id
FROM script
WHERE active = 1
GROUP BY account_id HAVING count(*) > 1;

-- 24: article without history
SELECT e.folder_id, e.uid
FROM entry e
JOIN folder f ON f.id = e.folder_id
WHERE f.kind = 'group'
AND NOT EXISTS (SELECT 1
FROM history h
WHERE h.id = e.message_id AND h.gone = 0);

-- 25: history names a message that is gone
SELECT h.id
FROM history h
WHERE h.gone = 0
AND NOT EXISTS (SELECT 1
FROM message m
WHERE m.id = h.id);

-- 47: history names an article that is in no group
SELECT h.id
FROM history h
WHERE h.gone = 0
AND NOT EXISTS (SELECT 1
FROM entry e
WHERE e.message_id = h.id
AND (SELECT f.kind
FROM folder f
WHERE f.id = e.folder_id) = 'group');

-- 48: expunged message that is there, or of a number not given out
SELECT x.folder_id, x.uid
FROM expunged x
LEFT JOIN entry e ON e.folder_id = x.folder_id AND e.uid = x.uid
LEFT JOIN folder f ON f.id = x.folder_id
WHERE e.uid IS NOT NULL OR x.uid >= f.uid_next;

-- 49: hold on a folder of another account
SELECT h.account_id, h.folder_id
FROM hold h
JOIN folder f ON f.id = h.folder_id
WHERE f.account_id <> h.account_id;

-- 26: flags beyond those that exist
SELECT folder_id, uid, flags
FROM entry
WHERE flags < 0 OR flags > 31;

-- 44: remark on a folder that is gone, or of another account
SELECT a.account_id, a.folder_id, a.name
FROM annotation a
WHERE a.folder_id <> 0
AND NOT EXISTS (SELECT 1
FROM folder f
WHERE f.id = a.folder_id AND f.account_id = a.account_id);

-- 45: remark of a reader that is gone
SELECT a.account_id, a.folder_id, a.reader_id, a.name
FROM annotation a
WHERE a.reader_id <> 0
AND NOT EXISTS (SELECT 1
FROM account r
WHERE r.id = a.reader_id);

-- 46: rights without letters, or of nobody
SELECT folder_id, who, rights
FROM access
WHERE rights = '' OR who = '' OR who = '-';

-- 51: annotation of an entry that is not there, or newer than its folder
SELECT a.folder_id, a.uid, a.name
FROM entry_annotation a
JOIN folder f ON f.id = a.folder_id
WHERE a.modseq > f.highest_modseq
OR NOT EXISTS (SELECT 1
FROM entry e
WHERE e.folder_id = a.folder_id AND e.uid = a.uid);

-- 52: annotation of a reader that is gone
SELECT a.folder_id, a.uid, a.reader_id, a.name
FROM entry_annotation a
WHERE a.reader_id <> 0
AND NOT EXISTS (SELECT 1
FROM account r
WHERE r.id = a.reader_id);

-- 53: bytes of annotations differ from what an account is said to hold
SELECT c.id, c.used_remarks, n
FROM account c
LEFT JOIN ( SELECT CASE WHEN a.reader_id = 0 THEN f.account_id ELSE a.reader_id END AS payer,
sum(length(a.value) + length(a.name)) AS n
FROM entry_annotation a
JOIN folder f ON f.id = a.folder_id
WHERE a.value IS NOT NULL
GROUP BY CASE WHEN a.reader_id = 0 THEN f.account_id ELSE a.reader_id END) b ON b.payer = c.id
WHERE c.used_remarks <> coalesce(n, 0);

-- 54: rights of a team that is gone
SELECT a.folder_id, a.who
FROM access a
WHERE (substr(a.who, 1, 1) = '$' OR substr(a.who, 1, 2) = '-$')
AND NOT EXISTS (SELECT 1
FROM team t
WHERE a.who = '$' || t.name OR a.who = '-$' || t.name);

-- 60: property of an object that is not there
SELECT p.kind, p.object_id, p.part, p.tag
FROM prop p
WHERE (p.kind = 0 AND NOT EXISTS (SELECT 1 FROM account a WHERE a.id = p.object_id))
OR (p.kind = 1 AND NOT EXISTS (SELECT 1 FROM folder f WHERE f.id = p.object_id))
OR (p.kind IN (2, 3, 4)
AND NOT EXISTS (SELECT 1 FROM entry e WHERE e.id = p.object_id)
AND NOT EXISTS (SELECT 1 FROM expunged x WHERE x.entry_id = p.object_id AND x.entry_id <> 0))
OR p.kind NOT IN (0, 1, 2, 3, 4);

-- 61: entry without MIME that those who speak MIME would be shown
SELECT e.folder_id, e.uid
FROM entry e
JOIN folder f ON f.id = e.folder_id
JOIN message m ON m.id = e.message_id
WHERE f.kind <> 'item' AND e.hidden = 0 AND m.blob_id IS NULL;

-- 62: number of a named property out of its range
SELECT account_id, id
FROM named_prop
WHERE id < 32768 OR id > 65534;

-- 63: expunged message whose object number an entry has
SELECT x.folder_id, x.uid, x.entry_id
FROM expunged x
JOIN entry e ON e.id = x.entry_id
WHERE x.entry_id <> 0;

-- 64: place of arrival in another account, or in a group
SELECT p.account_id, p.class, p.folder_id
FROM arrival_place p
JOIN folder f ON f.id = p.folder_id
WHERE f.account_id <> p.account_id OR f.kind = 'group' OR p.class <> lower(p.class);

-- 65: short number of a replica that is the account's own, or out of its range
SELECT r.account_id, r.number
FROM replica r
JOIN account a ON a.id = r.account_id
WHERE r.number < 2 OR r.number > 32767 OR r.guid = a.guid;

-- 66: further rights of somebody who has none
SELECT m.folder_id, m.who
FROM access_more m
WHERE m.bits = 0;

-- 67: two roots of an account
SELECT account_id, role
FROM folder
WHERE role IN ('root', 'subtree')
GROUP BY account_id, role HAVING count(*) > 1;
