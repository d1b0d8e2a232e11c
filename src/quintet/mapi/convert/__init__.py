"""MIME and items: letters as properties and back, by the rules of MS-OXCMAIL.  Pure; knows no store.

`from_mime` and `to_mime` convert; `difference` tells what of an item its MIME does not say, and `merge` puts
that upon what the MIME says.
"""

from quintet.mapi.convert.carried import is_content
from quintet.mapi.convert.differences import Change, Difference, difference, merge
from quintet.mapi.convert.reading import from_mime
from quintet.mapi.convert.writing import to_mime

__all__ = ["Change", "Difference", "difference", "from_mime", "is_content", "merge", "to_mime"]
