"""Every address of the house has its access tested: by the table of the portal, the desk or the API, or by a test named here."""

from django.urls import URLPattern, get_resolver

# Each of these checks its own addresses against its own table: a new one that stands in none of them fails there.
HOUSES = {
    "portal": "tests/portal/test_who_may_see.py",
    "admin": "tests/staff/test_access.py",
    "api": "tests/requests_app/test_api.py",
}

ALONE = {
    "favicon.ico": "a picture for everybody",
    "i18n/setlang/": "the desk's choice of language: Django's own, a cookie and a way back",
    "demo/inbox/": "tests/demo/test_inbox.py: there in demo mode alone",
}


def addresses(patterns, houses=(), route=""):
    for one in patterns:
        here = route + str(one.pattern)
        if isinstance(one, URLPattern):
            yield houses, here
        else:
            yield from addresses(one.url_patterns, (*houses, one.namespace) if one.namespace else houses, here)


def test_no_address_stands_outside_the_tables():
    alone = {here for houses, here in addresses(get_resolver().url_patterns) if not set(houses) & set(HOUSES)}
    assert alone == set(ALONE)
