"""What people read in answers, in the language that their client asked for (RFC 5255 3).

Pure.  Texts are looked up by their English words; one that has no translation stays English.  Codes,
and all that programs read, are the same in every language.
"""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

from quintet.net.seam import Pending

if TYPE_CHECKING:
    from quintet.imap.session import Session
    from quintet.net.seam import Replies

DEFAULT = "i-default"  # RFC 5255 3.1: English, for those who asked for nothing
_RANGE = re.compile(r"\*|[A-Za-z]{1,8}(?:-(?:[A-Za-z0-9]{1,8}|\*))*\Z")  # as RFC 4647 has them

_TEXTS: dict[str, tuple[str, str]] = {  # English: German, French
    "Done": ("Erledigt", "Fait"),
    "Selected": ("Ausgewählt", "Sélectionnée"),
    "Unselected": ("Nicht mehr ausgewählt", "Désélectionnée"),
    "Closed": ("Geschlossen", "Fermée"),
    "Created": ("Angelegt", "Créée"),
    "Deleted": ("Gelöscht", "Supprimée"),
    "Renamed": ("Umbenannt", "Renommée"),
    "Logged in": ("Angemeldet", "Connecté"),
    "Logged out": ("Abgemeldet", "Déconnecté"),
    "Posted": ("Veröffentlicht", "Publié"),
    "Sent to the moderator": ("An den Moderator gesandt", "Envoyé au modérateur"),
    "Begin TLS now": ("TLS kann beginnen", "Commencez TLS"),
    "DEFLATE active": ("DEFLATE ist eingeschaltet", "DEFLATE est actif"),
    "Language changed": ("Sprache gewechselt", "Langue changée"),
    "Languages told": ("Sprachen aufgezählt", "Langues énumérées"),
    "No such language": ("Diese Sprache gibt es hier nicht", "Cette langue n'est pas disponible"),
    "No such comparator": ("Diesen Vergleich gibt es hier nicht", "Ce comparateur n'est pas disponible"),
    "No messages": ("Keine Nachrichten", "Aucun message"),
    "Some messages are gone": ("Einige Nachrichten sind weg", "Des messages ont disparu"),
    "Not all messages": ("Nicht alle Nachrichten", "Pas tous les messages"),
    "Working": ("In Arbeit", "En cours"),
    "Conditional STORE failed": ("Bedingtes STORE gescheitert", "Le STORE conditionnel a échoué"),
    # refusals
    "Failed": ("Gescheitert", "Échec"),
    "Log in first": ("Erst anmelden", "Connectez-vous d'abord"),
    "Already logged in": ("Schon angemeldet", "Déjà connecté"),
    "No mailbox is selected": ("Kein Postfach ist ausgewählt", "Aucune boîte n'est sélectionnée"),
    "No such mailbox": ("Dieses Postfach gibt es nicht", "Cette boîte n'existe pas"),
    "No such message": ("Diese Nachricht gibt es nicht", "Ce message n'existe pas"),
    "The message is gone": ("Die Nachricht ist weg", "Le message a disparu"),
    "A mailbox of that name is there already": (
        "Ein Postfach dieses Namens gibt es schon",
        "Une boîte de ce nom existe déjà",
    ),
    "INBOX cannot be deleted": ("INBOX kann nicht gelöscht werden", "INBOX ne peut pas être supprimée"),
    "Mailbox is read-only": ("Das Postfach kann nur gelesen werden", "La boîte est en lecture seule"),
    "Mailbox is full": ("Das Postfach ist voll", "La boîte est pleine"),
    "Mailbox name has an empty level": (
        "Eine Ebene des Namens ist leer",
        "Un niveau du nom est vide",
    ),
    "Mailbox name is too long": ("Der Name ist zu lang", "Le nom est trop long"),
    "Mailbox name holds a wildcard": ("Der Name enthält * oder %", "Le nom contient * ou %"),
    "Mailbox name holds control characters": (
        "Der Name enthält Steuerzeichen",
        "Le nom contient des caractères de contrôle",
    ),
    "Mailbox name is not in the charset in use": (
        "Der Name ist nicht im vereinbarten Zeichensatz",
        "Le nom n'est pas dans le jeu de caractères en usage",
    ),
    "A mailbox cannot go below itself": (
        "Ein Postfach kann nicht unter sich selbst liegen",
        "Une boîte ne peut pas être placée sous elle-même",
    ),
    "This name belongs to the server": ("Dieser Name gehört dem Server", "Ce nom appartient au serveur"),
    "Too many mailboxes": ("Zu viele Postfächer", "Trop de boîtes"),
    "Too many messages at once": ("Zu viele Nachrichten auf einmal", "Trop de messages à la fois"),
    "Too many messages to copy at once": (
        "Zu viele Nachrichten auf einmal zu kopieren",
        "Trop de messages à copier à la fois",
    ),
    "Value is too long": ("Der Wert ist zu lang", "La valeur est trop longue"),
    "Too many annotations of one message": (
        "Zu viele Anmerkungen zu einer Nachricht",
        "Trop d'annotations d'un message",
    ),
    "No room for annotations": ("Kein Platz für Anmerkungen", "Plus de place pour des annotations"),
    "No such part": ("Diesen Teil gibt es nicht", "Cette partie n'existe pas"),
    "Message is empty": ("Die Nachricht ist leer", "Le message est vide"),
    "Special use is not available": (
        "Dieser Zweck ist nicht verfügbar",
        "Cet usage n'est pas disponible",
    ),
    "Mailbox is on another server": (
        "Das Postfach liegt auf einem anderen Server",
        "La boîte se trouve sur un autre serveur",
    ),
    "Your mailboxes are on another server": (
        "Ihre Postfächer liegen auf einem anderen Server",
        "Vos boîtes se trouvent sur un autre serveur",
    ),
    "Unknown command": ("Unbekannter Befehl", "Commande inconnue"),
    "Unexpected argument": ("Unerwartetes Argument", "Argument inattendu"),
    "Missing argument": ("Ein Argument fehlt", "Il manque un argument"),
    "Too many arguments": ("Zu viele Argumente", "Trop d'arguments"),
    "Idle for too long": ("Zu lange still", "Inactif trop longtemps"),
    # what stands before names (RFC 5255 3.4)
    "Users": ("Andere Benutzer", "Autres utilisateurs"),
    "Groups": ("Newsgruppen", "Groupes de discussion"),
    "Public": ("Öffentlich", "Commun"),
}
_COLUMN = {"de": 0, "fr": 1}
LANGUAGES = (DEFAULT, "en", "de", "fr")  # as they are told

_STATUS = re.compile(rb"((?:OK|NO|BAD) (?:\[[^\]\r\n]*\] )?)([^\r\n]+)\r\n\Z")


def chosen(ranges: list[str], preferred: str) -> str | None:
    """The first of our languages that one of ``ranges`` asks for, by look-up (RFC 5255 3.2); None for none.

    ``preferred`` is what "default" means, and "*".  ValueError: not a language range.
    """
    for text in ranges:
        if not _RANGE.match(text):
            raise ValueError(text)
        if text.lower() in ("default", "*"):
            return preferred if preferred in LANGUAGES else DEFAULT
        wanted = text.lower()
        while wanted:
            if wanted in LANGUAGES:
                return wanted
            wanted = wanted.rpartition("-")[0]
            if wanted[-2:-1] == "-":  # a single letter only announces what was cut off
                wanted = wanted[:-2]
    return None


def translated(words: str, language: str) -> str:
    """``words`` as people of ``language`` say them; as they are where that is not known."""
    column = _COLUMN.get(language)
    found = _TEXTS.get(words)
    return words if column is None or found is None else found[column]


def answer(data: bytes, tag: bytes, language: str) -> bytes:
    """``data``, which ends with the answer to ``tag``, with the answer's words translated (UTF-8).

    Anything else comes back as it is: what lies inside is data, and is counted.
    """
    at = data.rfind(b"\r\n", 0, -2)
    start = at + 2 if at >= 0 else 0
    if not data.startswith(tag + b" ", start):
        return data
    found = _STATUS.match(data, start + len(tag) + 1)
    if found is None:
        return data
    words = translated(found[2].decode("ascii", "replace"), language)
    return data[: found.start(2)] + words.encode("utf-8") + b"\r\n"


def spoken(replies: Replies, tag: bytes, session: Session) -> Replies:
    """The replies to a command, their end in the session's language."""
    if isinstance(replies, AsyncGenerator):
        return _spoken(replies, tag, session)
    if isinstance(replies, Pending):
        ended = replies.then
        return Pending(replies.future, lambda: spoken(ended(), tag, session))
    return [answer(one, tag, session.language) if isinstance(one, bytes) else one for one in replies]


async def _spoken(
    replies: AsyncGenerator[Any, None], tag: bytes, session: Session
) -> AsyncGenerator[Any, None]:
    async with aclosing(replies) as source:
        async for one in source:
            yield answer(one, tag, session.language) if isinstance(one, bytes) else one
