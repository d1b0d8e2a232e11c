"""Our texts, in each language that LANG offers (RFC 6856 3).

A text is known by a short key; what is not translated is said in English.  Clients act on response
codes, never on these words.
"""

from __future__ import annotations

LANGUAGES = {"en": "English", "de": "Deutsch", "fr": "Français"}

_WORDS: dict[str, dict[str, str]] = {
    "en": {
        "ready": "POP3 server ready",
        "bye": "good-bye",
        "name": "now the password",
        "open": "{count} messages ({size} octets)",
        "read-only": "{count} messages ({size} octets), read-only",
        "deleted": "message {number} deleted",
        "reset": "{count} messages ({size} octets)",
        "tls": "begin TLS",
        "utf8": "UTF8 enabled",
        "lang": "language changed",
        "langs": "languages follow",
        "capa": "capabilities follow",
        "mechanisms": "mechanisms follow",
        "list": "{count} messages ({size} octets)",
        "uidl": "unique ids follow",
        "top": "top of message follows",
        "unknown": "unknown command",
        "syntax": "arguments not understood",
        "long": "line too long",
        "state": "not now",
        "none": "no such message",
        "gone": "message was deleted",
        "vanished": "message is gone",
        "no-folder": "no such folder",
        "no-right": "this maildrop is read-only",
        "in-use": "maildrop is in use by another session",
        "delay": "too soon after the last login",
        "failed": "authentication failed",
        "disabled": "account disabled",
        "weak": "use TLS first",
        "mechanism": "mechanism not available",
        "cancelled": "authentication cancelled",
        "no-user": "USER first",
        "no-tls": "TLS not available",
        "no-language": "no such language",
        "needs-utf8": "message needs UTF8",
        "temporary": "try again later",
        "internal": "internal error",
        "not-removed": "some deleted messages were not removed",
        "shutdown": "server is shutting down",
        "errors": "too many errors",
        "busy": "too many connections",
    },
    "de": {
        "ready": "POP3-Server bereit",
        "bye": "auf Wiedersehen",
        "name": "jetzt das Passwort",
        "open": "{count} Nachrichten ({size} Oktette)",
        "read-only": "{count} Nachrichten ({size} Oktette), nur lesbar",
        "deleted": "Nachricht {number} gelöscht",
        "reset": "{count} Nachrichten ({size} Oktette)",
        "lang": "Sprache gewechselt",
        "langs": "Sprachen folgen",
        "unknown": "unbekannter Befehl",
        "syntax": "Argumente nicht verstanden",
        "long": "Zeile zu lang",
        "state": "jetzt nicht möglich",
        "none": "keine solche Nachricht",
        "gone": "Nachricht ist gelöscht",
        "vanished": "Nachricht ist nicht mehr da",
        "no-folder": "kein solcher Ordner",
        "no-right": "dieses Postfach ist nur lesbar",
        "in-use": "Postfach wird gerade benutzt",
        "delay": "zu früh nach der letzten Anmeldung",
        "failed": "Anmeldung fehlgeschlagen",
        "disabled": "Konto gesperrt",
        "weak": "zuerst TLS benutzen",
        "mechanism": "Verfahren nicht verfügbar",
        "cancelled": "Anmeldung abgebrochen",
        "no-user": "zuerst USER",
        "no-tls": "TLS nicht verfügbar",
        "no-language": "Sprache nicht vorhanden",
        "needs-utf8": "Nachricht braucht UTF8",
        "temporary": "bitte später versuchen",
        "internal": "interner Fehler",
        "not-removed": "einige gelöschte Nachrichten wurden nicht entfernt",
        "shutdown": "Server wird beendet",
        "errors": "zu viele Fehler",
        "busy": "zu viele Verbindungen",
    },
    "fr": {
        "ready": "serveur POP3 prêt",
        "bye": "au revoir",
        "name": "maintenant le mot de passe",
        "open": "{count} messages ({size} octets)",
        "read-only": "{count} messages ({size} octets), lecture seule",
        "deleted": "message {number} supprimé",
        "reset": "{count} messages ({size} octets)",
        "lang": "langue changée",
        "langs": "liste des langues",
        "unknown": "commande inconnue",
        "syntax": "arguments incompris",
        "long": "ligne trop longue",
        "state": "impossible maintenant",
        "none": "message inexistant",
        "gone": "message supprimé",
        "vanished": "le message n'est plus là",
        "no-folder": "dossier inexistant",
        "no-right": "boîte en lecture seule",
        "in-use": "boîte utilisée par une autre session",
        "delay": "trop tôt après la dernière connexion",
        "failed": "échec de l'authentification",
        "disabled": "compte désactivé",
        "weak": "utilisez d'abord TLS",
        "mechanism": "mécanisme indisponible",
        "cancelled": "authentification annulée",
        "no-user": "d'abord USER",
        "no-tls": "TLS indisponible",
        "no-language": "langue indisponible",
        "needs-utf8": "le message exige UTF8",
        "temporary": "réessayez plus tard",
        "internal": "erreur interne",
        "not-removed": "certains messages n'ont pas été supprimés",
        "shutdown": "le serveur s'arrête",
        "errors": "trop d'erreurs",
        "busy": "trop de connexions",
    },
}


def say(language: str, key: str, **values: object) -> str:
    """A text in a language of `LANGUAGES`."""
    text = _WORDS[language].get(key) or _WORDS["en"][key]
    return text.format(**values) if values else text


def choose(wanted: str, preferred: str) -> str | None:
    """The language for a basic language range: "*", "de", "de-AT" (look-up of RFC 4647); None: none fits."""
    if wanted == "*":
        return preferred
    tag = wanted.lower()
    while tag:
        if tag in LANGUAGES:
            return tag
        if tag == "i-default":
            return "en"
        tag = tag.rpartition("-")[0]
    return None
