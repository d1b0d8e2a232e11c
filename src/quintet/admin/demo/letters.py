"""The demo letters: threads, attachments, HTML and many languages, as a real inbox has them."""

from __future__ import annotations

import base64

from quintet.admin.demo.item import Item
from quintet.message.build import Attachment
from quintet.store.model import ANSWERED, DRAFT, FLAGGED, SEEN

ALICE = "Alice Liddell <alice@example.org>"
BOB = "Bob Builder <bob@example.org>"
CAROL = "Carol Nguyễn <carol@example.org>"
YUKI = "佐藤 由紀 <yuki@example.net>"
JUERGEN = "Jürgen Müßig <juergen.muessig@example.com>"
OLGA = "Ольга Петрова <olga@example.net>"
LAYLA = "ليلى حداد <layla@example.net>"
WEI = "王伟 <wei.wang@example.com>"
ZOE = "Zoë Châtelain <zoe@example.com>"

# a red dot, 5 x 5: small, and every client can show it
PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAUAAAAFCAYAAACNbyblAAAAHElEQVQI12P4//8/w38GIAXDIBKE0DHxgljNBAAO9TXL0Y4OHwAAAABJRU5ErkJggg=="
)
INVITATION = b"""BEGIN:VCALENDAR\r
VERSION:2.0\r
PRODID:-//Quintet//Demo//EN\r
METHOD:REQUEST\r
BEGIN:VEVENT\r
UID:walk-1@demo.example.org\r
DTSTAMP:20260105T090000Z\r
DTSTART:20260901T090000Z\r
DTEND:20260901T100000Z\r
SUMMARY:Walk through the new message store\r
ORGANIZER;CN=Carol:mailto:carol@example.org\r
ATTENDEE;CN=Alice;RSVP=TRUE:mailto:alice@example.org\r
LOCATION:Room 5\r
END:VEVENT\r
END:VCALENDAR\r
"""
CSV = b"month,letters,articles\nJanuary,1204,311\nFebruary,1377,290\nMarch,1512,402\n"

WELCOME = """\
Hello Alice,

this is your own messaging server.  What you are reading lies once in its store, and you can
look at it through four doors:

  * IMAP   your mail client shows folders, flags and threads
  * POP3   takes the inbox home
  * NNTP   the groups local.test, local.announce and comp.lang.python
  * SMTP   send a letter to bob@example.org or carol@example.org and watch it arrive

The groups are folders too: look for "Groups" in your mail client.  The number of an article is the
number that IMAP shows.

Try this: subscribe to Groups/comp.lang.python, read an article, then open the group in a news reader.

Have fun,
Quintet
"""

LETTERS: tuple[Item, ...] = (
    Item("welcome", "Quintet <postmaster@example.org>", "Welcome to Quintet", WELCOME, 0.1, to=ALICE),
    Item(
        "welcome-bob",
        "Quintet <postmaster@example.org>",
        "Welcome to Quintet",
        WELCOME.replace("Hello Alice", "Hello Bob").replace("bob@example.org", "alice@example.org"),
        0.1,
        to=BOB,
        owner="bob@example.org",
    ),
    Item(
        "welcome-carol",
        "Quintet <postmaster@example.org>",
        "Welcome to Quintet",
        WELCOME.replace("Hello Alice", "Hello Carol").replace("carol@example.org", "alice@example.org"),
        0.1,
        to=CAROL,
        owner="carol@example.org",
    ),
    Item(
        "roof-1",
        BOB,
        "The roof of the boat house",
        "Hi Alice,\n\nthe storm took eleven tiles and the gutter on the lake side.  I can mend it on Saturday if\n"
        "somebody holds the ladder.  Photo attached (the red dot is the hole, seen from the moon).\n\nBob\n",
        74,
        to=ALICE,
        attachments=(Attachment(PNG, "image/png", "the hole.png"),),
        flags=SEEN | ANSWERED,
    ),
    Item(
        "roof-2",
        ALICE,
        "Re: The roof of the boat house",
        "> I can mend it on Saturday if somebody holds the ladder.\n\nI hold ladders.  Ten o'clock?\n\nAlice\n",
        73,
        to=BOB,
        folder="Sent",
        answers=("roof-1",),
        flags=SEEN,
    ),
    Item(
        "roof-3",
        BOB,
        "Re: The roof of the boat house",
        "> Ten o'clock?\n\nTen it is.  Bring gloves; the gutter bites.\n",
        72,
        to=ALICE,
        answers=("roof-1", "roof-2"),
        flags=SEEN | FLAGGED,
    ),
    Item(
        "roof-4",
        CAROL,
        "Re: The roof of the boat house",
        "I bring soup.\n\nCarol\n\n> Ten it is.\n",
        70.5,
        to=BOB,
        cc=ALICE,
        answers=("roof-1", "roof-2", "roof-3"),
    ),
    Item(
        "kyoto",
        YUKI,
        "来週の打ち合わせについて",
        "アリス様\n\nいつもお世話になっております。佐藤です。\n来週水曜日の打ち合わせは午後三時からでよろしいでしょうか。\n"
        "資料は明日までにお送りいたします。\n\nどうぞよろしくお願いいたします。\n佐藤 由紀\n",
        50,
        to=ALICE,
    ),
    Item(
        "kyoto-2",
        YUKI,
        "Re: 来週の打ち合わせについて（資料）",
        "アリス様\n\n資料をお送りします。ご確認ください。\n\n佐藤\n",
        29,
        to=ALICE,
        answers=("kyoto",),
        attachments=(Attachment(CSV, "text/csv", "統計 三月.csv"),),
        flags=FLAGGED,
    ),
    Item(
        "fluss",
        JUERGEN,
        "Grüße aus Köln – Flussfahrt im Mai?",
        "Liebe Alice,\n\nwir überlegen, im Mai mit dem Kanu die Lahn hinunterzufahren: drei Tage, zwei Nächte, ein\n"
        "Lagerfeuer. Hättest Du Lust? Schlafsäcke sind genügend da, nur Übermut müsste man mitbringen.\n\n"
        "Herzliche Grüße\nJürgen\n",
        122,
        to=ALICE,
        flags=SEEN | ANSWERED,
        keywords=("$Forwarded",),
    ),
    Item(
        "fluss-2",
        ALICE,
        "Re: Grüße aus Köln – Flussfahrt im Mai?",
        "Lieber Jürgen,\n\nja! Übermut ist eingepackt.\n\nAlice\n",
        120,
        to=JUERGEN,
        folder="Sent",
        answers=("fluss",),
        flags=SEEN,
    ),
    Item(
        "dacha",
        OLGA,
        "Рецепт, который ты просила",
        "Алиса, здравствуй!\n\nВот рецепт бабушкиных сырников:\n\n  500 г творога, 1 яйцо, 3 ложки сахара, 4 ложки муки.\n\n"
        "Смешать, слепить, обжарить на медленном огне. Подавать со сметаной и хорошими новостями.\n\n"
        "Обнимаю,\nОльга\n",
        98,
        to=ALICE,
        flags=SEEN,
        keywords=("Recipes",),
        folder="Archive",
    ),
    Item(
        "beirut",
        LAYLA,
        "صور من بيروت",
        "عزيزتي أليس،\n\nوصلنا إلى بيروت أمس. البحر هادئ والطعام رائع. سأرسل لك الصور عندما أعود إلى البيت.\n\n"
        "مع أطيب التحيات،\nليلى\n",
        60,
        to=ALICE,
    ),
    Item(
        "beijing",
        WEI,
        "关于合同的修改意见",
        "爱丽丝，您好：\n\n合同第三条和第五条我们有两处小的修改意见，请见附件。\n如果没有问题，我们周五可以签字。\n\n祝好\n王伟\n",
        44,
        to=ALICE,
        attachments=(
            Attachment(
                "第三条：交货期改为三十天。\n第五条：删除。\n".encode(),
                "text/plain; charset=utf-8",
                "修改意见.txt",
            ),
        ),
    ),
    Item(
        "lyon",
        ZOE,
        "Menu du déjeuner — café, crème brûlée",
        "Chère Alice,\n\nvoici le menu de jeudi :\n\n  - velouté de châtaignes\n  - quenelles à la lyonnaise\n  - crème brûlée\n\n"
        "Préviens-moi si quelqu'un n'aime pas les châtaignes (je ne le crois pas possible).\n\nZoë\n",
        40,
        to=ALICE,
        html="<html><body><p>Chère Alice,</p><p>voici le menu de <b>jeudi</b>&nbsp;:</p><ul><li>velouté de châtaignes</li>"
        "<li>quenelles à la lyonnaise</li><li>crème brûlée</li></ul><p>Préviens-moi si quelqu'un n'aime pas les"
        " châtaignes <i>(je ne le crois pas possible)</i>.</p><p>Zoë</p></body></html>\n",
    ),
    Item(
        "invite",
        CAROL,
        "Invitation: Walk through the new message store",
        "Tuesday, eleven o'clock, room 5.  Bring questions.\n",
        26,
        to=ALICE,
        cc=BOB,
        attachments=(Attachment(INVITATION, "text/calendar; method=REQUEST; charset=utf-8", "invite.ics"),),
    ),
    Item(
        "newsletter",
        "The Lakeside Gardener <news@gardener.example.com>",
        "Tulips, and how to argue with moles",
        "THE LAKESIDE GARDENER\n=====================\n\n1. Tulips go in now: twice as deep as they are tall.\n"
        "2. Moles: they are right, the lawn was theirs first.\n3. Compost: turn it when you are angry.\n\n"
        "To leave this list write to news-leave@gardener.example.com.\n",
        33,
        to=ALICE,
        html="<h1>The Lakeside Gardener</h1><ol><li><b>Tulips</b> go in now: twice as deep as they are tall.</li>"
        "<li><b>Moles</b>: they are right, the lawn was theirs first.</li><li><b>Compost</b>: turn it when you are"
        " angry.</li></ol>\n",
        extra=(
            ("List-Id", "The Lakeside Gardener <gardener.example.com>"),
            ("List-Unsubscribe", "<mailto:news-leave@gardener.example.com>"),
            ("Precedence", "bulk"),
        ),
        flags=SEEN,
    ),
    Item(
        "invoice",
        "Boats & Sons <billing@boats.example.com>",
        "Invoice 2026-0417: varnish, 5 l",
        "Dear Ms Liddell,\n\nplease find attached invoice 2026-0417 over EUR 84.20, payable within 30 days.\n\n"
        "Boats & Sons\n",
        90,
        to=ALICE,
        flags=SEEN,
        folder="Archive",
        attachments=(
            Attachment(
                b"%PDF-1.1\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n2 0 obj<</Type/Pages/Kids[]/Count 0>>endobj\n"
                b"trailer<</Root 1 0 R>>\n%%EOF\n",
                "application/pdf",
                "Invoice 2026-0417.pdf",
            ),
        ),
    ),
    Item(
        "forwarded",
        BOB,
        "Fwd: lost and found",
        "Yours?  It has your name in it.\n\nBob\n",
        20,
        to=ALICE,
        attachments=(
            Attachment(
                b"From: Library <desk@library.example.com>\r\nTo: bob@example.org\r\nSubject: lost and found\r\n"
                b"Date: Mon, 05 Jan 2026 10:00:00 +0000\r\nMessage-ID: <lost-7@library.example.com>\r\n\r\n"
                b"We found a looking glass on the second floor.\r\n",
                "message/rfc822",
            ),
        ),
    ),
    Item(
        "patch",
        CAROL,
        "[PATCH] spool: close the file when the client goes away",
        "A client that hung up in the middle of a long letter left its spool file open until the\ngarbage collector came by.\n"
        "---\n spool.py | 4 ++--\n 1 file changed, 2 insertions(+), 2 deletions(-)\n\n"
        "diff --git a/spool.py b/spool.py\n--- a/spool.py\n+++ b/spool.py\n@@ -12,5 +12,5 @@ def receive(stream):\n"
        "-    file = open(name, 'wb')\n-    copy(stream, file)\n+    with open(name, 'wb') as file:\n"
        "+        copy(stream, file)\n--\n2.47\n",
        15,
        to=ALICE,
        keywords=("$label1",),
    ),
    Item(
        "dots",
        BOB,
        "Lines that begin with a dot",
        ".profile is fine.\n.\nThe line above is a dot and nothing else; SMTP, POP3 and NNTP must double it on the way.\n"
        "..and this one began with two.\n",
        12,
        to=ALICE,
    ),
    Item(
        "draft",
        ALICE,
        "Speech for Saturday",
        "Dear friends of the boat house,\n\n",
        5,
        to="friends@example.org",
        folder="Drafts",
        flags=DRAFT | SEEN,
    ),
    Item(
        "spam",
        "Prince of Nothing <prince@nowhere.example>",
        "URGENT BUSINESS PROPOSAL!!!",
        "DEAREST FRIEND,\n\nI HAVE A LARGE SUM OF NOTHING AND NEED YOUR HELP TO MOVE IT.\n",
        18,
        to="undisclosed-recipients:;",
        folder="Junk",
    ),
    Item(
        "bob-1",
        ALICE,
        "Ladder",
        "Saturday, ten.  I have the ladder.\n\nAlice\n",
        71,
        to=BOB,
        owner="bob@example.org",
        flags=SEEN,
    ),
    Item(
        "bob-2",
        "Hardware Store <orders@hardware.example.com>",
        "Your order has been shipped: 12 roof tiles",
        "Your order 5512 left our house today.  Twelve tiles (one for luck).\n",
        48,
        to=BOB,
        owner="bob@example.org",
    ),
    Item(
        "carol-1",
        BOB,
        "Soup",
        "Which soup?\n",
        69,
        to=CAROL,
        owner="carol@example.org",
    ),
    Item(
        "carol-2",
        OLGA,
        "Привет из Казани",
        "Каролина, привет!\n\nЖду тебя летом.\n\nОльга\n",
        52,
        to=CAROL,
        owner="carol@example.org",
    ),
)
