"""Values that are wrong almost everywhere."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

from hypothesis import strategies as st

LONE_SURROGATE = "\ud800"
TEXTS = (
    *("", " ", "\t", "\n", "\r\n", "\x00", "a\x00b", "\x1b[31m", "\x7f", LONE_SURROGATE, "\ufffe", "\u202e", "\u2028"),
    *(
        "ünïcödé ☃",
        "\u0430dmin",
        "\uff11\uff12",
        "²",
        "\u0663",
        "İ",
        "ß",
        "e\u0301",
        "😀" * 70,
        "x" * 64,
        "x" * 256,
        "x" * 65_536,
    ),
    *(
        "0",
        "-1",
        "1.5",
        "1e3",
        "0x10",
        "9" * 30,
        "9" * 5000,
        "NaN",
        "inf",
        "-0",
        "1_000",
        " 7 ",
        "true",
        "null",
        "None",
    ),
    *("10.0.0.0/24", "10.0.0.5/24", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/255.255.255.0", "10.0.0.256", "1.2.3"),
    *("::", "::/0", "fe80::1%eth0", "::ffff:10.0.0.1", "2001:db8::/64", "0.0.0.0/0", "010.0.0.1", "//", "/", "../.."),
    *(
        "(",
        "[",
        "*",
        "%",
        "%s",
        "%zz",
        "{}",
        "{0}",
        "'",
        '"',
        "`",
        ";",
        "\\",
        "<b>",
        "a=b",
        "a,b",
        "regex:(",
        "in:",
        "<=x",
    ),
    *(
        "11111111-2222-3333-4444-555555555555",
        "11111111222233334444555555555555",
        "fa:16:3e:00:00:01",
        "ff:ff:ff",
        "self",
    ),
    *("2024-01-01T00:00:00Z", "0000-00-00", "9999-12-31T23:59:59+99:99", "=", "==", "a===", "AAAA", "ssh-rsa AAAA x"),
)
NUMBERS = (0, 1, -1, 2, 7, 255, 256, 4094, 4095, 65_535, 65_536, 2**31, -(2**31), 2**63, 2**64, 10**30, 10**310)
FLOATS = (0.0, -0.0, 0.5, -1.5, 1e308, 5e-324, float("nan"), float("inf"), float("-inf"))


def nested(depth: int, *, as_list: bool) -> Any:
    """Return a list in a list, or an object in an object, and so on."""
    value: Any = 1
    for _ in range(depth):
        value = [value] if as_list else {"a": value}
    return value


STRUCTURES: tuple[Any, ...] = (
    *([], {}, [None], [[]], [{}], {"a": None}, {"": ""}, [""], [1], [True], ["a", "a"], {"id": 1}, {"id": None}),
    *([None, "a"], {"a": {"b": "c"}}, {"\x00": LONE_SURROGATE}, list(range(300)), {str(n): "v" for n in range(300)}),
    *(nested(50, as_list=True), nested(50, as_list=False), ["x" * 1000] * 20),
)


def json_values() -> st.SearchStrategy[Any]:
    """Generate a JSON value, simple ones first."""
    return st.one_of(
        st.sampled_from((None, True, False)),
        st.sampled_from(TEXTS),
        st.sampled_from(NUMBERS),
        st.sampled_from(STRUCTURES).map(deepcopy),
        st.sampled_from(FLOATS),
        st.text(max_size=5),
    )
