"""Whether encoded JSON may hold a secret: a few scans anchored at literals, which tell the clean payloads, nearly all.

On every call's path; `redaction` parses what is suspected here.
"""

from __future__ import annotations

import re

from weft.tracking.payloads.secretnames import any_case, ends_name

find_key = re.compile(f'":{ends_name(chr(34) + ":")}'.encode()).search
"""A key that is a secret's name."""
# What may stand before a secret: no letter or digit, or the escape of a control character.
_BEFORE = rb"(?:(?<=[^A-Za-z0-9]%b)|(?<=\\[bfnrt]%b)|(?<=\\u00[0-9a-f]{2}%b))"
_find_dash = re.compile(
    rb"-(?:"
    + _BEFORE.replace(b"%b", rb"[sr]k-")
    + rb"[A-Za-z0-9_-]{8}|(?<=xox[abeoprs]-)|(?<=glpat-)|(?<=xai-)|(?<=pplx-)|(?<=tvly-)|----BEGIN [A-Z0-9 ]{0,40}PRIV)"
).search
_DASHED = 64
"""More than what a dash begins may take: nothing is looked for further behind the last one."""
_find_underscore = re.compile(
    rb"_(?:(?<=gh[pousr]_)[A-Za-z0-9]{16}|(?<=github_pat_)|" + _BEFORE.replace(b"%b", b"hf_") + rb"[A-Za-z0-9]{16}"
    rb"|(?<=[sr]k_live_)|(?<=[sr]k_test_)|(?<=gsk_)|(?<=npm_)|(?<=lsv2_[ps][tk]_)"
    + rb"|"
    + f"(?:{any_case('access')}_?{any_case('key')})".encode()
    + rb"[\\\"'\s:=>nrt]{1,12}[A-Za-z0-9/+]{40})"
).search
_find_a = re.compile(rb"A(?:KIA[0-9A-Z]{16}|SIA[0-9A-Z]{16}|Iza[\w-]{20})").search
_find_jwt = re.compile(rb"J(?<=eyJ)[\w-]{8}").search
_find_bearer = re.compile(rb"Bearer[\s\\]").search
_find_basic = re.compile(rb"zation(?<=[Aa]uthorization)[\\\"':=\sbfnrt]{1,12}Basic").search
_find_url = re.compile(rb"://[^/\s:@\"']*:[^/\s@\"']+@").search
_find_assignment = re.compile(f"={ends_name('=')}".encode()).search
# JSON inside a text, and JSON inside that: one backslash before the quote, or three.
_find_inner_key = re.compile(
    f'\\\\":(?:{ends_name(chr(92) * 2 + chr(34) + ":")}|{ends_name(chr(92) * 6 + chr(34) + ":")})'.encode()
).search
_find_quoted_key = re.compile(
    f"':(?:{ends_name(chr(39) + ':')}|{ends_name(chr(92) * 4 + chr(39) + ':')})".encode()
).search
# A letter, digit, - or _ that somebody wrote as an escape: only JSON inside a text has it, or raw JSON from elsewhere.
ESCAPED = r"\\{1,3}u00(2[dD]|3[0-9]|4[1-9a-fA-F]|5[0-9aAfF]|6[1-9a-fA-F]|7[0-9aA])"
_find_escape = re.compile(ESCAPED.encode()).search
_find_map = re.compile(rb'\$weft":"map"').search


def suspicious(data: bytes) -> bool:
    """Whether a secret may be in the texts of encoded JSON, as opposed to its keys.

    Every pattern holds one byte that is rare in prose, and begins with it where it can: looking for one byte costs next
    to nothing, and most payloads have few of them.
    """
    find = data.find
    return (
        ((at := find(b"-")) >= 0 and _find_dash(data, at, data.rfind(b"-") + _DASHED) is not None)
        or ((at := find(b"_")) >= 0 and _find_underscore(data, at) is not None)
        or ((at := find(b"A")) >= 0 and _find_a(data, at) is not None)
        or ((at := find(b"J")) >= 0 and _find_jwt(data, at) is not None)
        or ((at := find(b"B")) >= 0 and (_find_bearer(data, at) is not None or _find_basic(data) is not None))
        or ((at := find(b"'")) >= 0 and _find_quoted_key(data, at) is not None)
        or (b"@" in data and _find_url(data) is not None)
        or ((at := find(b"=")) >= 0 and _find_assignment(data, at) is not None)
        or (
            (at := find(b"\\")) >= 0
            and (
                _find_inner_key(data, at) is not None
                or ((at := find(b"\\u00", at)) >= 0 and _find_escape(data, at) is not None)
            )
        )
        or (b"$" in data and _find_map(data) is not None)
    )
