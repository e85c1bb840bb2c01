"""The canonical form of an identity: what two spellings must share to be the same mailbox or the same telephone (R12).

E-mail addresses are compared in Unicode NFC, case-folded (UAX #15, RFC 6530 leaves the local part to its host; no host in
practice tells case apart). Telephone numbers are compared in E.164. Anything else is compared as it stands, trimmed.
"""

import re
import unicodedata

import phonenumbers

EMAIL_KINDS = frozenset({"email"})
PHONE_KINDS = frozenset({"phone_number", "phone"})
NOBODY = "@anonymous.invalid"  # what anonymizing writes into a column that must hold an address: nobody's (RFC 2606)


class InvalidIdentity(ValueError):
    """The value is no identity of its kind. The text names the kind, never the value."""


def canonical(kind: str, value: object, *, region: str = "SE") -> str:
    """The canonical form of `value`; `region` reads national telephone numbers. Raises InvalidIdentity."""
    text = unicodedata.normalize("NFC", str(value)).strip()
    if not text or "\x00" in text:
        raise InvalidIdentity(f"the {kind} is empty or holds a NUL character")
    if kind in EMAIL_KINDS:
        # Folding may denormalise (U+0345), so normalise once more.
        text = unicodedata.normalize("NFC", text.casefold())
        if not re.fullmatch(r"[^@\s]+@[^@\s]+", text):
            raise InvalidIdentity("an e-mail address has one @ with something on either side")
        if text.endswith(NOBODY):
            raise InvalidIdentity("the e-mail address is one that stands for nobody")
        return text
    if kind in PHONE_KINDS:
        try:
            number = phonenumbers.parse(text, region)
        except phonenumbers.NumberParseException:
            raise InvalidIdentity("the phone number cannot be read; write it as +46 70 123 45 67") from None
        if not phonenumbers.is_possible_number(number):
            raise InvalidIdentity("the phone number has too few or too many digits; write it as +46 70 123 45 67")
        return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
    return text


def same(kind: str, stored: object, canonical_value: str, *, region: str = "SE") -> bool:
    """Whether a stored spelling is this canonical identity; what is no identity at all equals nothing."""
    try:
        return canonical(kind, stored, region=region) == canonical_value
    except InvalidIdentity:
        return False
