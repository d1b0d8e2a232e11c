"""Tables of expressions: regexp_table(5), pcre_table(5)."""

import pytest

from quintet.policy import patterns


def table(text):
    return patterns.of(list(patterns.logical(text)), str)


def said(text, subject):
    found = table(text).find(subject)
    return None if found is None else found.filled(found.result)


@pytest.mark.parametrize(
    ("lines", "subject", "result"),
    [
        ("/one/ A\n/two/ B", "TWO one", "A"),  # the first line, not the first place
        ("/one/ A", "on it: On e", None),
        ("/one/i A", "ONE", None),  # i turns the usual off
        ("!/one/ A", "two", "A"),
        ("!/one/ A", "one", None),
        ("/a.b/ A", "a\nb", "A"),
        ("/a.b/s A", "a\nb", None),
        ("/^b/ A", "a\nb", None),
        ("/^b/m A", "a\nb", "A"),
        ("/a  b/x A", "ab", "A"),
        ("%/etc/% A", "x/etc/y", "A"),
        (r"/a\/b/ A", "a/b", "A"),
        ("/one/\tA b", "one", "A b"),
        ("/^[[:alpha:]_]+[[:space:]]+[[:digit:]]$/ A", "ab_ \t7", "A"),
        ("/^(.*)-(.*)$/ $2 ${1}x$(2) $$ $3", "a-b", "b axb $ "),
        ("!/(a)/ $1.", "b", "."),
        ("/one\n   two/ A", "one two", "A"),  # a line that begins with a blank belongs to the one before
        ("# /one/ A\n\n  # x\n/one/ B", "one", "B"),
    ],
)
def test_lines(lines, subject, result):
    assert said(lines, subject) == result


def test_lines_between_if_and_endif_count_where_it_fits():
    text = "if /^x/\n/y/ A\nif !/z/\n/w/ B\nendif\nendif\n/./ C"
    assert [said(text, each) for each in ("xy", "xw", "xwz", "yw")] == ["A", "B", "C", "C"]


@pytest.mark.parametrize(
    ("lines", "why"),
    [
        ("/a/ A\n/b A", "line 2: the expression has no end"),
        ("/a/", "line 1: expected an action"),
        ("/(/ A", r"line 1: \(: missing"),
        ("/a/q A", "line 1: no such flag of an expression: 'q'"),
        ("endif", "line 1: endif without if"),
        ("if /a/\n/b/ A", "an if without its endif"),
        ("a A", "line 1: expected /expression/"),
        ("if /a/\n" * 25, "line 21: more than 20 ifs"),
        ("/a{99999999999}/ A", "line 1: "),
    ],
)
def test_mistakes_are_told_with_their_line(lines, why):
    with pytest.raises(ValueError, match=why):
        table(lines)
