"""Plain words for what a data map names by keys: categories, legal bases, sources, countries (Art. 12(1))."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.utils.translation import override

from privacy.datamap.categories import within
from privacy.engine.exceptions import basis_of

LANGUAGES = ("sv", "en")
Words = str | Promise

# What stands in a field of a category: a short name, and a sentence. The longest key that holds the field's category counts.
CATEGORIES: dict[str, tuple[Words, Words]] = {
    "system": (_("Technical field"), _("Needed by our systems to keep the records together. Says nothing about you by itself.")),
    "system.authentication": (_("Access control"), _("Used by our systems to decide who may sign in.")),
    "user": (_("Information about you"), _("Information that we connect with you.")),
    "user.account": (_("Account"), _("Information about your account with us.")),
    "user.account.settings": (_("Account settings"), _("How your account is set up.")),
    "user.account.username": (_("User name"), _("The name you sign in with.")),
    "user.authorization": (_("Access rights"), _("What you are allowed to do in our services.")),
    "user.authorization.credentials": (_("Sign-in details"), _("What you sign in with. Passwords are stored scrambled.")),
    "user.authorization.password": (_("Password"), _("Your password, stored scrambled so that nobody can read it.")),
    "user.behavior": (_("Use of our services"), _("Noted by our systems when you used our services.")),
    "user.behavior.browsing_history": (_("Visited pages"), _("Requests over the internet that our servers answered.")),
    "user.behavior.media_consumption": (_("Media use"), _("What you watched, heard or read.")),
    "user.behavior.purchase_history": (_("Purchases"), _("What you ordered or bought from us.")),
    "user.behavior.search_history": (_("Searches"), _("What you searched for.")),
    "user.biometric": (_("Biometric data"), _("Measures of the body by which a person can be recognised.")),
    "user.childrens": (_("About children"), _("Information about a child.")),
    "user.contact": (_("Contact details"), _("How we reach you.")),
    "user.contact.address": (_("Postal address"), _("Where you live or get your post.")),
    "user.contact.address.city": (_("Town"), _("The town in your postal address.")),
    "user.contact.address.country": (_("Country"), _("The country in your postal address.")),
    "user.contact.address.postal_code": (_("Postcode"), _("The postcode in your postal address.")),
    "user.contact.address.street": (_("Street"), _("The street in your postal address.")),
    "user.contact.email": (_("E-mail address"), _("An e-mail address by which we reach you.")),
    "user.contact.fax_number": (_("Fax number"), _("A fax number by which we reach you.")),
    "user.contact.organization": (_("Company or organisation"), _("The company or organisation you act for.")),
    "user.contact.phone_number": (_("Phone number"), _("A phone number by which we reach you.")),
    "user.contact.url": (_("Web site"), _("A web site of yours.")),
    "user.content": (_("Your content"), _("Something you wrote, uploaded or made.")),
    "user.content.self_image": (_("Picture"), _("A picture of you.")),
    "user.criminal_history": (_("Offences"), _("Information about offences or convictions.")),
    "user.demographic": (_("Personal circumstances"), _("Information about you as a person.")),
    "user.demographic.date_of_birth": (_("Date of birth"), _("The day you were born.")),
    "user.demographic.gender": (_("Gender"), _("Your gender.")),
    "user.demographic.language": (_("Language"), _("The language you want us to use.")),
    "user.device": (_("Device"), _("Information about the computer or phone you used.")),
    "user.device.cookie": (_("Cookie"), _("A note that our site kept in your browser.")),
    "user.device.cookie_id": (_("Cookie number"), _("A number by which our site recognised your browser.")),
    "user.device.device_id": (_("Device number"), _("A number by which your device is recognised.")),
    "user.device.ip_address": (_("IP address"), _("The internet address your device had.")),
    "user.financial": (_("Payments and finances"), _("Information about invoices, payments or accounts.")),
    "user.financial.bank_account": (_("Bank account"), _("A bank account of yours.")),
    "user.financial.credit_card": (_("Payment card"), _("A payment card of yours, or a part of its number.")),
    "user.government_id": (_("Official identity"), _("A number or document that the state gave you.")),
    "user.government_id.national_identification_number": (
        _("Personal identity number"),
        _("Your Swedish personnummer or the like."),
    ),
    "user.government_id.passport_number": (_("Passport number"), _("The number of your passport.")),
    "user.health_and_medical": (_("Health"), _("Information about your health.")),
    "user.job_title": (_("Job title"), _("Your title or role at work.")),
    "user.location": (_("Location"), _("Where you or your device were.")),
    "user.name": (_("Name"), _("Your name.")),
    "user.name.first": (_("First name"), _("Your first name.")),
    "user.name.last": (_("Last name"), _("Your last name.")),
    "user.payment": (_("Payment"), _("Information about how you pay.")),
    "user.privacy_preferences": (_("Privacy choices"), _("What you told us about how we may use your data.")),
    "user.sensor": (_("Measurements"), _("Measured by a device or a system you used.")),
    "user.social": (_("Contacts and messages"), _("Messages and contacts with other people.")),
    "user.telemetry": (_("Technical measurements"), _("Measured by our systems while you used them.")),
    "user.unique_id": (_("Customer or user number"), _("A number by which our systems know you.")),
    "user.user_sensor": (_("Measurements"), _("Measured by a device or a system you used.")),
    "user.workplace": (_("Workplace"), _("Where you work.")),
}

POLICY_CATEGORIES: dict[str, Words] = {
    "identification": _("Identification"),
    "contact": _("Contact"),
    "history": _("History"),
    "other": _("Other"),
}

LEGAL_BASES: dict[str, Words] = {
    "6-1-a": _("You have consented. You can withdraw your consent at any time."),
    "6-1-b": _("Needed for a contract with you, or to take the steps you asked for before one."),
    "6-1-c": _("Required by law: we have a legal obligation."),
    "6-1-d": _("Needed to protect somebody's life or health."),
    "6-1-e": _("Needed for a task in the public interest."),
    "6-1-f": _("A legitimate interest of ours or of somebody else, weighed against yours. You can object."),
}

SOURCES: dict[str, Words] = {
    "provided": _("You gave it to us."),
    "observed": _("It arose when you used our services."),
    "derived": _("We worked it out from other information."),
    "third_party": _("We got it from somebody else."),
}

# Why staff leave something out of a package: Art. 15(4), and the exceptions of the Swedish act (2018:218).
WITHHOLDING: dict[str, Words] = {
    "others": _("it is about somebody else, and giving it to you would harm their rights (Art. 15(4) GDPR)"),
    "secret": _("it is a trade secret or protected by copyright (Art. 15(4) GDPR)"),
    "secrecy": _("a law, or a decision made under one, says that it must not be given to you (5 kap. 1 § lag 2018:218)"),
    "draft": _("it is a draft that was not finished when you asked, or a note to remember by (5 kap. 2 § lag 2018:218)"),
}

# Why something is kept although its person asks for its erasure, by the letter of Art. 17(3).
KEEPING: dict[str, Words] = {
    "a": _("freedom of expression and information (Art. 17(3)(a) GDPR)"),
    "b": _("a legal obligation, or a task in the public interest (Art. 17(3)(b) GDPR)"),
    "c": _("public health (Art. 17(3)(c) GDPR)"),
    "d": _("archiving in the public interest, research or statistics (Art. 17(3)(d) GDPR)"),
    "e": _("legal claims: to make, to exercise or to defend them (Art. 17(3)(e) GDPR)"),
}

SUBJECTS: dict[str, Words] = {
    "anonymous_user": _("Users who are not signed in"),
    "citizen_voter": _("Citizens"),
    "commuter": _("Commuters"),
    "consultant": _("Consultants"),
    "customer": _("Customers"),
    "employee": _("Employees"),
    "job_applicant": _("Job applicants"),
    "next_of_kin": _("Next of kin"),
    "passenger": _("Passengers"),
    "patient": _("Patients"),
    "prospect": _("Prospective customers"),
    "shareholder": _("Shareholders"),
    "supplier_vendor": _("Suppliers"),
    "trainee": _("Trainees"),
    "visitor": _("Visitors"),
}

RECIPIENT_ROLES: dict[str, Words] = {
    "processor": _("works for us and on our instructions (processor)"),
    "controller": _("decides for itself how it uses the data (controller)"),
    "joint": _("decides together with us how the data is used (joint controller)"),
}

# The European Economic Area, within which no safeguard is needed, and countries that recipients often lie in.
EEA: dict[str, Words] = {
    "AT": _("Austria"), "BE": _("Belgium"), "BG": _("Bulgaria"), "CY": _("Cyprus"), "CZ": _("Czechia"), "DE": _("Germany"),
    "DK": _("Denmark"), "EE": _("Estonia"), "ES": _("Spain"), "FI": _("Finland"), "FR": _("France"), "GR": _("Greece"),
    "HR": _("Croatia"), "HU": _("Hungary"), "IE": _("Ireland"), "IS": _("Iceland"), "IT": _("Italy"), "LI": _("Liechtenstein"),
    "LT": _("Lithuania"), "LU": _("Luxembourg"), "LV": _("Latvia"), "MT": _("Malta"), "NL": _("the Netherlands"),
    "NO": _("Norway"), "PL": _("Poland"), "PT": _("Portugal"), "RO": _("Romania"),
    "SE": _("Sweden"), "SI": _("Slovenia"), "SK": _("Slovakia"),
}  # fmt: skip
ELSEWHERE: dict[str, Words] = {
    "AU": _("Australia"), "BR": _("Brazil"), "CA": _("Canada"), "CH": _("Switzerland"), "CN": _("China"), "IL": _("Israel"),
    "GB": _("the United Kingdom"), "IN": _("India"), "JP": _("Japan"), "KR": _("South Korea"), "NZ": _("New Zealand"),
    "PH": _("the Philippines"), "SG": _("Singapore"), "TR": _("Turkey"), "UA": _("Ukraine"), "US": _("the United States"),
    "ZA": _("South Africa"),
}  # fmt: skip


def outside_eea(country: str) -> bool:
    """Whether this ISO 3166 code names a country outside the EEA; no code is no country."""
    return bool(country) and country.upper() not in EEA


def country_name(country: str) -> str:
    return str(EEA.get(country.upper()) or ELSEWHERE.get(country.upper()) or country.upper())


@lru_cache(maxsize=2048)
def category_words(categories: tuple[str, ...]) -> tuple[Words, Words]:
    """Name and sentence for what stands in a field with these taxonomy categories."""
    best = max(_matches(categories), key=lambda key: (key.count("."), key.startswith("user")), default="system")
    return CATEGORIES[best]


@lru_cache(maxsize=2048)
def category_texts(categories: tuple[str, ...]) -> tuple[Mapping[str, str], Mapping[str, str]]:
    """The same in all languages."""
    name, sentence = category_words(categories)
    return in_all_languages(name), in_all_languages(sentence)


def _matches(categories: tuple[str, ...]) -> Iterator[str]:
    return (key for key in CATEGORIES for category in categories if within(category, key))


def law_words(basis: str) -> str:
    """A basis as people read it: a letter of Art. 17(3) in words, a law that a data map names as it stands there."""
    return str(KEEPING.get(basis.removeprefix(basis_of("")), basis))


def in_all_languages(words: Words) -> dict[str, str]:
    found = {}
    for language in LANGUAGES:
        with override(language):
            found[language] = str(words)
    return found


def readable(name: str) -> str:
    """A column's or table's name as words: `created_at` is “Created at”."""
    words = name.replace("_", " ").replace(".", " ").strip()
    return words[:1].upper() + words[1:]


def chosen(label: object, language: str, fallback: str) -> str:
    """The label in this language, else in any, else the fallback."""
    if isinstance(label, dict) and label:
        return str(label.get(language) or label.get("en") or next(iter(label.values())))
    return fallback
