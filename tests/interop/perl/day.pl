# Mail::IMAPClient, which imapsync uses, does a day's work; tests/interop/test_imap_scripts.py says where and compares.
use strict; use warnings; use Mail::IMAPClient;
my ($port, $user, $password, $security, $mechanism, $ca) = @ARGV;
my %tls = (SSL_ca_file => $ca, SSL_verifycn_name => "localhost");
my $imap = Mail::IMAPClient->new(
    Server => "localhost", Port => $port, User => $user, Password => $password, Uid => 1, Timeout => 20,
    ($security eq "tls" ? (Ssl => [%tls]) : ()), ($security eq "starttls" ? (Starttls => [%tls]) : ()),
    ($mechanism ? (Authmechanism => $mechanism) : ()), Maxcommandlength => 8000,
) or die "no login: $@";
sub ok { my ($what, $value) = @_; defined $value or die "$what: " . $imap->LastError; return $value }
ok("folders", scalar $imap->folders);
ok("select", $imap->select("INBOX"));
print "count ", ok("count", $imap->message_count("INBOX")), "\n";
exit 0 if $security ne "none" or $mechanism;
print "search @{ok('search', scalar $imap->search('SUBJECT', \q{Letter 3}))}\n";
print "sort @{ok('sort', scalar $imap->sort('REVERSE SUBJECT', 'UTF-8', 'ALL'))}\n";
my $threads = ok("thread", $imap->thread("REFERENCES", "UTF-8", "ALL")); print "threads ", scalar(@$threads), "\n";
my $fetched = ok("fetch", scalar $imap->fetch_hash("RFC822.SIZE", "FLAGS", "INTERNALDATE", "ENVELOPE"));
print "size $fetched->{2}{'RFC822.SIZE'}\n";
my $structure = ok("structure", $imap->get_bodystructure(2)); print "type ", $structure->bodytype, "\n";
print "octets ", length(ok("string", $imap->message_string(2))), "\n";
print "header ", ok("header", $imap->get_header(4, "Subject")), "\n";
ok("create", $imap->create("Work")); ok("subscribe", $imap->subscribe("Work"));
ok("copy", $imap->copy("Work", 1, 2)); ok("move", $imap->move("Work", 3));
ok("flag", $imap->set_flag("Flagged", 1)); ok("see", $imap->see(1, 2)); ok("answered", $imap->set_flag("Answered", 2));
ok("unsee", $imap->deny_seeing(2));
ok("delete", $imap->delete_message(5)); ok("expunge", $imap->expunge);
print "uid ", ok("append", $imap->append_string("Work", "Subject: x\n\nText\n", "\\Seen", "21-Nov-2025 09:00:00 +0000")), "\n";
print "unseen ", ok("status", $imap->unseen_count("Work")), "\n";
print "quota ", defined($imap->getquotaroot("INBOX")) ? "told" : "no", "\n";
my $tag = ok("idle", $imap->idle); $imap->idle_data(0); ok("done", $imap->done($tag));
ok("rename", $imap->rename("Work", "Play"));
ok("close", $imap->close); ok("logout", $imap->logout);
