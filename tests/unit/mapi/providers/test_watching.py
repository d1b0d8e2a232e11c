"""A system that tells of nothing is looked at: what was done through us is told once."""

import pytest

from quintet.mapi.errors import Code, MapiError
from quintet.mapi.providers.base import Event, Kind, Thing
from quintet.mapi.providers.watching import Picture, Watch

FOLDER, OTHER = b"folder", b"other"


class World:
    """What there is, and what a listener was told."""

    def __init__(self, *entries: bytes) -> None:
        self.picture: Picture = {FOLDER: {entry: frozenset() for entry in entries}, OTHER: {}}
        self.watch = Watch(lambda: {folder: dict(found) for folder, found in self.picture.items()}, 3600.0)
        self.told: list[tuple[Kind, bytes]] = []
        self.watch.add(lambda event: self.told.append((event.kind, event.entry)))

    def ended(self) -> list[tuple[Kind, bytes]]:
        self.watch.look()
        self.watch.close()
        return self.told


def test_what_others_do_is_told_at_the_next_look() -> None:
    world = World(b"a", b"b")
    del world.picture[FOLDER][b"a"]
    world.picture[FOLDER][b"b"] = frozenset({"\\Seen"})
    world.picture[FOLDER][b"c"] = frozenset()
    assert set(world.ended()) == {(Kind.DELETED, b"a"), (Kind.MODIFIED, b"b"), (Kind.CREATED, b"c")}


def test_what_is_saved_under_another_number_is_modified_and_nothing_else() -> None:
    """A letter of IMAP is saved by another one in its place."""
    world = World(b"1")
    world.picture[FOLDER] = {b"2": frozenset()}
    world.watch.tell(Event(Kind.MODIFIED, Thing.MESSAGE, b"2", FOLDER, b"1", FOLDER))
    assert world.ended() == [(Kind.MODIFIED, b"2")]


def test_what_is_moved_neither_went_nor_came() -> None:
    world = World(b"1")
    world.picture = {FOLDER: {}, OTHER: {b"9": frozenset()}}
    world.watch.tell(Event(Kind.MOVED, Thing.MESSAGE, b"9", OTHER, b"1", FOLDER))
    assert world.ended() == [(Kind.MOVED, b"9")]


def test_what_is_copied_did_not_come_and_what_was_copied_may_go() -> None:
    world = World(b"1")
    world.picture[OTHER][b"9"] = frozenset()
    world.watch.tell(Event(Kind.COPIED, Thing.MESSAGE, b"9", OTHER, b"1", FOLDER))
    world.watch.look()
    assert world.told == [(Kind.COPIED, b"9")]
    del world.picture[FOLDER][b"1"]
    assert world.ended() == [(Kind.COPIED, b"9"), (Kind.DELETED, b"1")]


def test_what_is_told_while_somebody_looks_is_no_news_at_the_next_look() -> None:
    world = World()
    looked = world.watch._picture_now

    def slow() -> Picture:
        before = looked()
        if not world.told:  # made and told when the picture was there already
            world.picture[FOLDER][b"new"] = frozenset()
            world.watch.tell(Event(Kind.CREATED, Thing.MESSAGE, b"new", FOLDER))
        return before

    world.watch._picture_now = slow
    world.watch.look()
    assert world.ended() == [(Kind.CREATED, b"new")]


def test_what_was_told_is_no_news_when_a_look_failed_in_between() -> None:
    world = World()
    world.picture[FOLDER][b"new"] = frozenset()
    world.watch.tell(Event(Kind.CREATED, Thing.MESSAGE, b"new", FOLDER))
    looked = world.watch._picture_now

    def away() -> Picture:
        raise MapiError(Code.NETWORK_ERROR)

    world.watch._picture_now = away
    with pytest.raises(MapiError):
        world.watch.look()
    world.watch._picture_now = looked
    assert world.ended() == [(Kind.CREATED, b"new")]
