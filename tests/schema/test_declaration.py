"""What a declared struct is, before any bytes."""

from __future__ import annotations

import copy
import gc

import pytest

from drave.schema import (
    Struct,
    UndeclaredVersion,
    decoder,
    encoder,
    int16,
    int32,
    nullable,
    records,
    since,
    source,
    tagged,
    until,
)


class Inner(Struct):
    number: int32 = 7


class Example(Struct, versions=(1, 4), flexible=3):
    late: int32 = since(2, default=-1)
    required: str
    early: list[str] = until(3, default=[])
    maybe: str | None = nullable(2)
    inner: Inner | None = tagged(0, since=3, default=None)


def test_fields_are_given_by_name_and_have_their_defaults() -> None:
    example = Example(required="r", maybe=None)
    assert (example.late, example.required, example.early, example.maybe, example.inner) == (-1, "r", [], None, None)


def test_a_field_without_a_default_must_be_given() -> None:
    with pytest.raises(TypeError, match="required"):
        Example(maybe=None)


def test_a_field_that_is_not_declared_cannot_be_given_nor_set() -> None:
    with pytest.raises(TypeError):
        Inner(nimber=1)
    with pytest.raises(AttributeError):
        Inner().nimber = 1


def test_a_list_by_default_is_each_message_s_own() -> None:
    first, second = Example(required="", maybe=""), Example(required="", maybe="")
    first.early.append("mine")
    assert second.early == []


def test_messages_with_the_same_fields_are_equal() -> None:
    assert Inner(number=1) == Inner(number=1) != Inner(number=2)
    assert copy.deepcopy(Inner(number=1)) == Inner(number=1)


def test_a_message_shows_its_fields_in_the_order_of_the_wire() -> None:
    shown = repr(Example(required="r", maybe="m", inner=Inner()))
    assert shown == "Example(late=-1, required='r', early=[], maybe='m', inner=Inner(number=7))"


def test_every_declared_struct_is_a_struct() -> None:
    assert isinstance(Inner(), Struct)
    assert issubclass(Inner, Struct)
    assert not isinstance("a string", Struct)


def test_the_garbage_collector_does_not_look_at_messages() -> None:
    """It would, every few hundred messages."""
    assert not gc.is_tracked(Example(required="", maybe=""))


@pytest.mark.parametrize("version", [0, 5, -1])
@pytest.mark.parametrize("compiled", [decoder, encoder])
def test_a_version_that_is_not_declared_is_refused(compiled: object, version: int) -> None:
    with pytest.raises(UndeclaredVersion, match="only 1 to 4 are declared"):
        compiled(Example, version)


@pytest.mark.parametrize("compiled", [decoder, encoder])
def test_functions_are_compiled_once(compiled: object) -> None:
    assert compiled(Example, 2) is compiled(Example, 2)
    assert compiled(Example, 2) is not compiled(Example, 3)


class NoDefault(Struct):
    number: int32 = since(1, default=0)
    text: str


class Homeless(Struct, versions=(0, 1)):
    inner: list[NoDefault]
    unknown: complex


class Bottomless(Struct, versions=(0, 1), flexible=1):
    empty: list[Empty]


class Empty(Struct):
    pass


class ListOfNullable(Struct):
    items: list[str | None]


@pytest.mark.parametrize("cls", [Homeless, ListOfNullable])
def test_a_type_that_no_field_can_have_is_refused(cls: type) -> None:
    with pytest.raises(TypeError):
        decoder(cls, 0)


def test_an_array_whose_elements_take_no_bytes_is_refused() -> None:
    """Nothing would bound its count. In flexible versions an element takes the byte of its tags."""
    with pytest.raises(TypeError, match="no bound"):
        decoder(Bottomless, 0)
    assert decoder(Bottomless, 1)(b"\x03\0\0\0", 0) == (Bottomless(empty=[Empty(), Empty()]), 4)


def test_a_struct_may_name_one_that_is_declared_below_it() -> None:
    assert encoder(Bottomless, 1)(Bottomless(empty=[Empty()])) == [b"\x02\0\0"]


class TaggedRecords(Struct, flexible=0):
    batch: records | None = tagged(0, default=None)


def test_records_cannot_be_tagged() -> None:
    """A tag says its size beforehand, and records are not joined to find it."""
    with pytest.raises(TypeError, match="records cannot be tagged"):
        encoder(TaggedRecords, 0)


class Widths(Struct):
    small: int16
    wide: int32


def test_neighbours_of_fixed_width_are_one_call() -> None:
    assert "small, wide = unpack_from_hi(buffer, position)" in source(Widths, 0, "decode")
    assert "pack_hi(message.small, message.wide)" in source(Widths, 0, "encode")
