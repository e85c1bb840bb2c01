"""The pages behind the queue: one case, its steps with their confirmations, an identity in full, search, entering a request."""

from __future__ import annotations

from typing import Any

from csp.decorators import csp_replace
from django.contrib import admin, messages
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.translation import get_language, gettext_lazy
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_post_parameters

from accounts.desk import refuse_unless
from accounts.models import CustomerIdentity, IdentityKind, Staff
from accounts.people import email_of
from accounts.roles import may
from accounts.staff_site import staff_site
from privacy import audit
from requests_app import cases
from requests_app.case.contested_look import look_at_group
from requests_app.case.triage import extension_letter
from requests_app.case.withholding import package_as_it_will_be
from requests_app.desk import breaches, consents, forwardings, preview, recipient_notices
from requests_app.desk.asked import what_was_asked
from requests_app.desk.due import badge, due_badge
from requests_app.desk.duplicates import others_of
from requests_app.desk.entering import EnterForm, enter
from requests_app.desk.found import store_parts
from requests_app.desk.queue import name_of, state_badge
from requests_app.desk.queue_desk import QueueDesk
from requests_app.desk.searching import FindForm, find
from requests_app.desk.standing import Standing, short_code, totals
from requests_app.desk.steps import NO_TARGET, STEPS, Step, WrongCode, missing_before, possible_steps
from requests_app.desk.trail import trail
from requests_app.desk.words import RIGHT_NAMES
from requests_app.files import uploads
from requests_app.models import Mention, Message, Right, RightsRequest, RunState, Upload
from requests_app.portal.masks import mask
from requests_app.running.runs import forwarded

CODE_REFUSED = gettext_lazy(
    "The code was not accepted. Each code works once: wait for the next one, and after several wrong codes wait a minute."
)


@admin.register(RightsRequest, site=staff_site)
class CaseDesk(QueueDesk):
    def more_urls(self) -> list[URLPattern]:
        guarded = sensitive_post_parameters()
        return [
            *super().more_urls(),
            path("enter/", self.view(guarded(self.enter_view)), name=self.url_name("enter")),
            path("find/", self.view(guarded(self.find_view)), name=self.url_name("find")),
            path("<int:object_id>/identity/<int:identity_id>/", self.view(self.identity_view), name=self.url_name("identity")),
            path("<int:object_id>/files/<int:upload_id>/", self.view(self.file_view), name=self.url_name("file")),
            path("<int:object_id>/papers/<int:upload_id>/", self.view(self.paper_view), name=self.url_name("paper")),
            path(
                "<int:object_id>/preview/",
                csp_replace(preview.CONTENT_POLICY)(self.view(guarded(self.preview_view))),
                name=self.url_name("preview"),
            ),
            path("<int:object_id>/mentions/<int:mention_id>/", self.view(self.mention_view), name=self.url_name("mention")),
            path("<int:object_id>/rows/", self.view(guarded(self.rows_view)), name=self.url_name("rows")),
            path("<int:object_id>/<slug:step>/", self.view(guarded(self.step_view)), name=self.url_name("step")),
            path("<int:object_id>/<slug:step>/<int:target>/", self.view(guarded(self.step_view)), name=self.url_name("target")),
        ]

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        more = {"title": _("Requests"), "find_form": FindForm(label_suffix="") if may(request.user, "request.search") else None}
        return super().changelist_view(request, more | (extra_context or {}))

    def standing_of(self, request: HttpRequest, object_id: int) -> Standing:
        whole = RightsRequest.objects.select_related(
            "customer", "representation__representative", "assignee", "entered_by", "proposed_by", "approved_by"
        )
        user: Any = request.user
        return Standing(self.found(request, object_id, whole), user)

    # --- the case ---

    def _record_view(self, request: HttpRequest, object_id: int) -> HttpResponse:
        standing = self.standing_of(request, object_id)
        case = standing.request
        context = {
            "title": case.reference,
            "case": case,
            "right": RIGHT_NAMES[case.right],
            "standing": standing,
            "state": state_badge(case),
            "due": due_badge(case, timezone.localdate()),
            "asked": what_was_asked(case, own_words=may(request.user, "request.read_words")),
            "identities": [(row, mask(row.kind, row.value)) for row in standing.identities],
            "acting": _acting(standing),
            "evidence": uploads.kept(case, Upload.Purpose.EVIDENCE),
            "parts": store_parts(standing),
            "searching": standing.is_searching,
            "progress": sum(
                run.state == RunState.DONE or bool(forwarded(run)) or (standing.is_searching and bool(run.located_at))
                for run in standing.runs
            ),
            "erasing": case.right == Right.ERASURE,
            "sums": totals(standing.runs),
            "plan_code": short_code(case.plan_digest) if case.plan_digest else "",
            "steps": possible_steps(standing),
            "missing": missing_before(standing),
            "may_preview": preview.is_possible(standing),
            "contested_open": STEPS["contested"].possible(standing),
            "may_resume": may(request.user, STEPS["resume"].action),
            "tasks": standing.tasks if may(request.user, STEPS["task"].action) else [],
            "messages_of_case": [(item, name_of(item.staff), _writer(item)) for item in standing.messages],
            "package": getattr(case, "package", None),
            "extension": extension_letter(case),
            "breaches": breaches.of_case(case.pk),
            "forwardings": forwardings.of_case(case.pk),
            "recipients": recipient_notices.of_case(case.pk),
            "consents": consents.as_they_stand(case.customer),
            "others": [(other, RIGHT_NAMES[other.case.right]) for other in others_of(case, standing.identities)],
            "notes": _notes(case, standing.user) if may(request.user, "request.read_words") else [],
            "trail": trail(audit.events(case.reference)),
            "people": {
                role: name_of(person)
                for role, person in {
                    "assignee": case.assignee,
                    "entered": case.entered_by,
                    "proposed": case.proposed_by,
                    "approved": case.approved_by,
                }.items()
            },
        }
        return self.page(request, "admin/case.html", context)

    # --- a step ---

    def step_view(self, request: HttpRequest, object_id: int, step: str, target: int = NO_TARGET) -> HttpResponse:
        chosen = STEPS.get(step)
        if chosen is None or (chosen.targets is None) != (target == NO_TARGET):
            raise Http404
        refuse_unless(request, chosen.action)
        standing = self.standing_of(request, object_id)
        if request.method == "POST" and request.POST.get("seen") != _seen(standing, chosen):
            messages.error(
                request,
                _("Somebody else got there first: the request is now “%(state)s”. Look at it again.")
                % {"state": standing.request.get_state_display()},
            )
            return redirect(self.url("change", object_id))
        if not chosen.possible(standing, target):
            self._say_why_not(request, chosen, standing)
            return redirect(self.url("change", object_id))
        data = (request.POST, request.FILES) if request.method == "POST" else (None, None)
        form = chosen.form(*data, standing=standing)
        if request.method == "POST" and form.is_valid():
            answer = self._take(request, chosen, standing, form, target)
            if answer is not None:
                return answer
        return self._confirmation(request, chosen, standing, form, target)

    def _take(self, request: HttpRequest, step: Step, standing: Standing, form: Any, target: int) -> HttpResponse | None:
        """Do it; None to show the form again with what is wrong."""
        try:
            step.perform(standing, form, target, timezone.now())
        except WrongCode:
            form.add_error("otp_token", CODE_REFUSED)
            return None
        except cases.SomebodyElseGotThereFirst as error:
            messages.error(request, str(error))
        except cases.NotAllowed as error:
            form.add_error(None, str(error))
            return None
        else:
            messages.success(request, step.done)
        return redirect(self.url("change", standing.request.pk))

    def _say_why_not(self, request: HttpRequest, step: Step, standing: Standing) -> None:
        missing = list(step.before(standing)) if step.offered(standing) else []
        messages.warning(
            request, " ".join(missing) or _("“%(step)s” is not possible for you in this case now.") % {"step": step.label}
        )

    def _confirmation(self, request: HttpRequest, step: Step, standing: Standing, form: Any, target: int) -> HttpResponse:
        shows_plan = step.key in ("approve", "propose", "approve-erasure", "contested", "keep-back")
        context = {
            "title": f"{step.label}: {standing.request.reference}",
            "form": form,
            "seen": _seen(standing, step),
            "button": step.label,
            "tone": step.tone,
            "will_happen": step.will_happen(standing, target),
            "back": self.url("change", standing.request.pk),
            "back_label": standing.request.reference,
            "parts": store_parts(standing) if shows_plan else [],
            "erasing": standing.request.right == Right.ERASURE,
            "plan_code": short_code(standing.digest) if step.key == "approve-erasure" else "",
            "look": self.url("rows", standing.request.pk) if step.key == "contested" else "",
            "may_look": may(request.user, "request.see_contested"),
        }
        return self.page(request, "admin/step.html", context)

    # --- a note that mentions somebody ---

    def mention_view(self, request: HttpRequest, object_id: int, mention_id: int) -> HttpResponse:
        refuse_unless(request, "request.read_words")
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        standing = self.standing_of(request, object_id)
        mention = Mention.objects.filter(pk=mention_id, note__request=standing.request, staff=standing.user).first()
        if mention is None:
            messages.warning(request, _("You are not mentioned here."))
        else:
            cases.read_mention(mention=mention, acting_user=standing.user, now=timezone.now())
        return redirect(self.url("change", object_id))

    # --- an identity in full ---

    def identity_view(self, request: HttpRequest, object_id: int, identity_id: int) -> HttpResponse:
        """By POST alone: looking is an act, and it is written down before anything is shown."""
        refuse_unless(request, "request.reveal_identity")
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        standing = self.standing_of(request, object_id)
        identity = CustomerIdentity.objects.filter(pk=identity_id, customer=standing.request.customer).first()
        if identity is None:
            raise Http404
        with transaction.atomic():
            audit.record(
                chain=standing.request.reference,
                actor=f"staff:{request.user.pk}",
                action="identity.revealed",
                payload={"identity": identity.pk, "kind": identity.kind},
                now=timezone.now(),
            )
        context = {"title": _("Identity in %(reference)s") % {"reference": standing.request.reference}, "identity": identity}
        context |= {"back": self.url("change", object_id), "back_label": standing.request.reference}
        return self.page(request, "admin/identity.html", context)

    # --- a file that came with a message ---

    def file_view(self, request: HttpRequest, object_id: int, upload_id: int) -> HttpResponseBase:
        refuse_unless(request, "request.read_words")
        standing = self.standing_of(request, object_id)
        found = Upload.objects.filter(pk=upload_id, request=standing.request, message__isnull=False).select_related("request")
        try:
            return uploads.attachment(upload=found.get(), acting_user=standing.user, now=timezone.now())
        except Upload.DoesNotExist:
            messages.warning(request, _("This file is not here any more."))
            return redirect(self.url("change", object_id))

    # --- a paper that shows who somebody is, or whom they act for ---

    def paper_view(self, request: HttpRequest, object_id: int, upload_id: int) -> HttpResponseBase:
        """A proof that came with the case, as a download alone; by POST, since the look is written down."""
        refuse_unless(request, "request.open_file")
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        standing = self.standing_of(request, object_id)
        papers = Upload.objects.filter(request=standing.request).exclude(purpose=Upload.Purpose.MESSAGE)
        upload = papers.select_related("request").filter(pk=upload_id).first()
        if upload is None:
            raise Http404
        try:
            return uploads.attachment(upload=upload, acting_user=standing.user, now=timezone.now())
        except Upload.DoesNotExist:
            messages.warning(request, _("This file is deleted."))
            return redirect(self.url("change", object_id))

    # --- contested rows ---

    def rows_view(self, request: HttpRequest, object_id: int) -> HttpResponse:
        """A look at the fields of one group, by POST alone; written down before anything is shown."""
        refuse_unless(request, "request.see_contested")
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        standing = self.standing_of(request, object_id)
        try:
            seen = look_at_group(
                request=standing.request,
                group=request.POST.get("group", ""),
                acting_user=standing.user,
                language=get_language()[:2],
                now=timezone.now(),
            )
        except LookupError:
            messages.warning(request, _("These rows are not contested any more, or the case is another one."))
            return redirect(self.url("change", object_id))
        except cases.NotAllowed as error:
            messages.error(request, str(error))
            return redirect(self.url("change", object_id))
        context = {"title": _("Contested rows in %(reference)s") % {"reference": standing.request.reference}, **seen}
        context |= {"back": self.url("change", object_id), "back_label": standing.request.reference}
        return self.page(request, "admin/contested_rows.html", context)

    # --- the package before it is approved ---

    def preview_view(self, request: HttpRequest, object_id: int) -> HttpResponse:
        """The package as the person will get it; by POST alone, since every look is written down."""
        refuse_unless(request, "request.preview")
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        standing = self.standing_of(request, object_id)
        try:
            preview.change(request=request, case=standing.request, acting_user=standing.user)
        except cases.NotAllowed as error:
            messages.error(request, str(error))
        try:
            with package_as_it_will_be(request=standing.request, acting_user=standing.user, now=timezone.now()) as seen:
                context = preview.shown(seen, standing.request)
        except cases.NotAllowed as error:
            messages.error(request, str(error))
            return redirect(self.url("change", object_id))
        context |= {"title": _("The package of %(reference)s") % {"reference": standing.request.reference}}
        context |= {"back": self.url("change", object_id), "back_label": standing.request.reference, "case": standing.request}
        return self.page(request, "admin/preview.html", context)

    # --- search and entry ---

    def find_view(self, request: HttpRequest) -> HttpResponse:
        """What is looked for comes by POST and goes nowhere else: no address, no log, no message repeats it."""
        refuse_unless(request, "request.search")
        form = FindForm(request.POST if request.method == "POST" else None)
        if request.method != "POST":
            return redirect(self.url("changelist"))
        if not form.is_valid():
            messages.warning(request, _("Write a reference, an e-mail address, a telephone number or a customer number."))
            return redirect(self.url("changelist"))
        user: Any = request.user
        found = find(form.cleaned_data["wanted"], acting_user=user, now=timezone.now())
        if found.case is not None:
            return redirect(self.url("change", found.case))
        if found.customers:
            return redirect(f"{self.url('changelist')}?show=all&person={','.join(found.customers)}")
        messages.info(request, _("No request has this reference or this exact identity."))
        return redirect(self.url("changelist"))

    def enter_view(self, request: HttpRequest) -> HttpResponse:
        refuse_unless(request, "request.enter")
        form = EnterForm(request.POST if request.method == "POST" else None)
        if request.method == "POST" and form.is_valid():
            user: Any = request.user
            try:
                case = enter(form.cleaned_data, acting_user=user, now=timezone.now())
            except cases.AlreadyOpen as error:
                messages.warning(request, _("This person already has an open request for the same right. Here it is."))
                return redirect(self.url("change", error.request.pk))
            except cases.NotAllowed as error:
                form.add_error(None, str(error))
            else:
                messages.success(request, _("The request is entered. A colleague has to accept the proof of identity."))
                return redirect(self.url("change", case.pk))
        return self.page(request, "admin/enter.html", {"title": _("Enter a request"), "form": form})


def _acting(standing: Standing) -> dict[str, Any] | None:
    """Who acts for the person, masked as identities are."""
    found = standing.representation
    if found is None:
        return None
    mailbox = email_of(found.representative) if found.representative else ""
    return {
        "representation": found,
        "badge": badge({"claimed": "warn", "accepted": "ok", "ended": "neutral"}[found.state], str(found.get_state_display())),
        "mailbox": mask(IdentityKind.EMAIL, mailbox),
        "claimed": [(IdentityKind(kind).label, mask(kind, value)) for kind, value in (found.claimed or {}).items()],
        "files": uploads.kept(standing.request, Upload.Purpose.ROLE),
    }


def _writer(message: Message) -> str:
    """Who wrote what no member of staff wrote."""
    return _("who acts for the person") if message.by_representative else _("the person")


def _notes(case: RightsRequest, reader: Staff) -> list[dict[str, Any]]:
    """The notes with who wrote them, and what mentions the reader and waits to be read."""
    found = case.notes.select_related("author").prefetch_related("mentions")
    return [
        {
            "note": note,
            "author": name_of(note.author),
            "mine": next((mention for mention in note.mentions.all() if mention.staff_id == reader.pk), None),
        }
        for note in found
    ]


def _seen(standing: Standing, step: Step) -> str:
    """What the person looks at while deciding: if it is not the same when the form comes back, somebody else was there."""
    case = standing.request
    return f"{case.state}.{case.assignee_id or 0}" if step.key == "assign" else case.state
