"""Views of the queue: built in, one's own, shared; what is stored is only what the filters take, and names nobody."""

import pytest
from django.urls import reverse

from requests_app.desk.saved_views import BUILT_IN, MOST, clean_query, save_view
from requests_app.models import SavedView
from tests.staff.conftest import make_case, overdue
from tests.staff.test_queue import QUEUE, references

pytestmark = pytest.mark.django_db
SAVE = reverse("admin:requests_app_rightsrequest_saveview")


def save(desk, who, name="Sena raderingar", query="right=erasure&due=overdue", **more):
    return desk.browser(who).post(SAVE, {"name": name, "query": query, **more})


def views(desk, who, query=""):
    return {view.name: view for view in desk.browser(who).get(f"{QUEUE}?{query}").context["views"]}


def test_a_view_is_saved_and_shows_what_it_was_saved_of(desk):
    make_case("erasure")
    late = overdue(make_case("erasure"))
    overdue(make_case())
    answer = save(desk, "alice")
    view = views(desk, "alice")["Sena raderingar"]
    assert references(desk.browser("alice").get(f"{QUEUE}?{view.query}")) == [late.reference]
    assert references(desk.browser("alice").get(answer["Location"])) == [late.reference]


def test_the_view_that_is_open_is_marked_whatever_the_order_of_its_filters(desk):
    save(desk, "alice")
    assert [name for name, view in views(desk, "alice", "due=overdue&right=erasure").items() if view.here] == ["Sena raderingar"]
    assert [name for name, view in views(desk, "alice").items() if view.here] == ["All open"]


def test_every_built_in_view_opens(desk):
    make_case()
    for _name, query, _action in BUILT_IN:
        assert desk.browser("bea").get(f"{QUEUE}?{query}").status_code == 200


def test_a_role_sees_the_views_that_are_of_use_to_it(desk):
    assert "Needs me" in views(desk, "alice")
    assert "To approve" not in views(desk, "alice")
    assert "To approve" in views(desk, "bea")
    assert "Needs me" not in views(desk, "olof")


def test_a_view_is_its_owners_until_it_is_shared(desk):
    save(desk, "alice")
    assert "Sena raderingar" not in views(desk, "arne")
    save(desk, "alice", is_shared="on")
    assert "Sena raderingar" in views(desk, "arne")
    assert SavedView.objects.count() == 1


def test_the_officer_saves_for_himself_alone(desk):
    save(desk, "olof", is_shared="on")
    assert "Sena raderingar" in views(desk, "olof")
    assert "Sena raderingar" not in views(desk, "alice")


def test_a_view_is_forgotten_by_its_owner_alone(desk):
    save(desk, "alice", is_shared="on")
    forget = reverse("admin:requests_app_rightsrequest_forgetview", args=[SavedView.objects.get().pk])
    desk.browser("arne").post(forget)
    assert SavedView.objects.exists()
    assert desk.browser("alice").get(forget).status_code == 405
    desk.browser("alice").post(forget)
    assert not SavedView.objects.exists()
    assert desk.browser("alice").post(forget, follow=True).status_code == 200


@pytest.mark.parametrize(
    ("query", "kept"),
    [
        ("person=abc&right=access", "right=access"),
        ("password__startswith=a", ""),
        ("right=access&p=9&e=1&_facets=1", "right=access"),
        ("due=soon&right=access", "due=soon&right=access"),
        (f"right={'x' * 200}", ""),
        ("?show=closed&o=2.-4", "show=closed&o=2.-4"),
        ("", ""),
    ],
)
def test_only_filters_that_there_are_are_kept(query, kept):
    assert clean_query(query) == kept


@pytest.mark.parametrize("query", ["customer__email=a", "right=none&state__exact=gone", "o=99.x", "answered=2019-13&show=closed"])
def test_a_view_of_filters_that_are_gone_breaks_no_page(desk, query):
    SavedView.objects.create(owner=desk.person("alice"), name="Gammal", query=query)
    make_case()
    view = views(desk, "alice")["Gammal"]
    assert desk.browser("alice").get(f"{QUEUE}?{view.query}").status_code == 200


@pytest.mark.parametrize("name", ["", "   ", "x" * 41])
def test_a_view_has_a_name(desk, name):
    answer = desk.browser("alice").post(SAVE, {"name": name, "query": ""}, follow=True)
    assert "Give the view a name" in answer.content.decode()
    assert not SavedView.objects.exists()


def test_there_is_an_end_to_views(desk):
    for number in range(MOST):
        save_view(owner=desk.person("alice"), name=f"{number}", query="", is_shared=False)
    save(desk, "alice", name="one more")
    assert SavedView.objects.count() == MOST
    save(desk, "alice", name="3", query="due=soon")
    assert SavedView.objects.get(name="3").query == "due=soon"


def test_the_view_of_a_colleague_who_left_is_gone(desk):
    save(desk, "alice", is_shared="on")
    person = desk.person("alice")
    person.is_active = False
    person.save()
    assert "Sena raderingar" not in views(desk, "arne")


def test_a_name_is_shown_as_it_was_typed(desk):
    save(desk, "alice", name="<script>alert(1)</script>")
    assert "<script>alert" not in desk.browser("alice").get(QUEUE).content.decode()
