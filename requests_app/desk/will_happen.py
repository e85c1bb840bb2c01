"""What exactly a step will do, in sentences, from the case as it stands: nobody presses a button to find out."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.conf import settings
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from requests_app.case import representing
from requests_app.case.deadlines import due_date
from requests_app.desk.due import day
from requests_app.desk.queue import name_of
from requests_app.desk.standing import Standing, rows_in_words, totals
from requests_app.files import uploads
from requests_app.models import Right, RunState, State, Upload

Lines = list[Any]


def assign(standing: Standing, target: int) -> Lines:
    return [_("The case stands in that colleague's part of the queue. Nothing is sent to the person.")]


def identity(standing: Standing, target: int) -> Lines:
    lines = [_("The level and your note are written to the case; your name stands behind them.")]
    if standing.request.entered_by_id and any(row.verified_at is None for row in standing.identities):
        lines.append(_("The identities that you tick count as verified, and data are looked for by them."))
    lines.append(
        _("From level %(level)d on the request goes to assessment. If the clock was paused, it goes on.")
        % {"level": standing.needed_level}
    )
    return lines + _files_go(standing)


def ask_identity(standing: Standing, target: int) -> Lines:
    return [
        _("The person is told that more proof is needed, and how to give it."),
        _("The clock stands still from now until they have given it."),
        _("Your doubt is kept in the case. It is not sent, but the person reads it when signed in."),
        *_files_go(standing),
    ]


def note(standing: Standing, target: int) -> Lines:
    return [
        _("Your colleagues read the note in this case. It is kept encrypted and is never sent to the person."),
        _("Who is mentioned in it has the case among what needs them, and gets an e-mail without a word of it."),
    ]


def message(standing: Standing, target: int) -> Lines:
    return [
        _("The person gets a notice that there is something new, without a word of it, and reads it when signed in."),
        *_who_else_reads(standing),
        _("The clock runs on. To wait for proof of identity, ask for that instead: then it stands still."),
    ]


def _who_else_reads(standing: Standing) -> Lines:
    acting = representing.of(standing.request)
    if acting is None or acting.state == acting.State.ENDED:
        return []
    return [_("Who acts for the person gets the notice and reads your message, too, but not what the person wrote.")]


def note_message(standing: Standing, target: int) -> Lines:
    return [_("The person's messages no longer count as waiting for an answer. Nothing is sent.")]


def _files_go(standing: Standing) -> Lines:
    if not uploads.kept(standing.request, Upload.Purpose.EVIDENCE).exists():
        return []
    return [_("The files that the person sent as proof are deleted.")]


BESIDE = {
    "yes": gettext_lazy("The name and the contact that the representative gave stand together in our records."),
    "no": gettext_lazy(
        "Careful: in our records the contact that the representative gave stands with another name. Accept the role only if you "
        "know that the contact is this person's."
    ),
    "unknown": gettext_lazy(
        "Our records do not tell whether the name and the contact that the representative gave belong together. Find out before "
        "you accept the role."
    ),
}


def accept_role(standing: Standing, target: int) -> Lines:
    return [
        BESIDE[standing.name_beside],
        _("Your note is written to the case; your name stands behind it. The files that were sent as proof are deleted."),
        _("Nothing is looked for yet: next, you or a colleague accept the person's identity."),
        _("Then the person is told at the contacts in our stores, unless you write here why not."),
    ]


def refuse_role(standing: Standing, target: int) -> Lines:
    return [
        _(
            "The files that were sent are deleted. The representative is told to sign in, reads your words and may send "
            "other proof."
        ),
        _("Nothing is looked for, and the clock stands still. To end it for good, refuse the request."),
    ]


def end_role(standing: Standing, target: int) -> Lines:
    return [
        _(
            "From now on the representative sees nothing of this request and gets no message. Downloads made before stay "
            "with them."
        ),
        _("The request stays; answers go to the person, if we can reach them."),
    ]


def contested(standing: Standing, target: int) -> Lines:
    return [
        _("These rows are another person's too. One choice can hold for all of a collection, or each group has its own."),
        _("The choice is part of the plan. It can be changed until the request is decided."),
    ]


def claim_excess(standing: Standing, target: int) -> Lines:
    return [
        _("Nothing is refused or charged yet: a colleague has to decide on it."),
        _("A request is excessive above all when it is repeated without cause. That it is troublesome is not enough."),
    ]


def decide_excess(standing: Standing, target: int) -> Lines:
    told = _("If you agree, the person is told now, with the reasons, the authority and the court.")
    claim = standing.excess
    if claim is None:
        return [told]
    fee = _("%(fee)d kronor") % {"fee": claim.fee} if claim.fee else ""
    return [
        _("%(who)s proposes: %(answer)s %(fee)s")
        % {"who": name_of(claim.proposed_by), "answer": claim.get_answer_display(), "fee": fee},
        _("Reason: %(words)s") % {"words": claim.reason or ""},
        _("Evidence: %(words)s") % {"words": claim.evidence or ""},
        told,
    ]


def keep_back(standing: Standing, target: int) -> Lines:
    return [
        _("Only an exception of Art. 17(3) keeps what somebody wants erased, and no longer than it is needed."),
        _("These fields stay readable, the rest of the rows is anonymized. They go by themselves when their day comes."),
        _("It is part of the plan that is approved, and the answer tells the person what is kept, why and until when."),
    ]


def corrections(standing: Standing, target: int) -> Lines:
    return [
        _("What you fill in replaces corrections written down before. Nothing is changed in a store yet."),
        _("When the request is approved, each value is set where the store still holds what it holds now."),
    ]


def approve(standing: Standing, target: int) -> Lines:
    return [*_carried_out(standing), _("The person is told that there is an answer, and reads it when signed in.")]


def _carried_out(standing: Standing) -> Iterator[str]:
    sums = totals(standing.runs)
    stores = sum(bool(run.finding) for run in standing.runs if run.state != RunState.CANCELLED)
    where = {"rows": rows_in_words(sums["rows"]), "stores": _stores(stores)}
    if not sums["rows"] and standing.request.right != Right.OBJECTION:
        yield _("No store holds anything under the verified identities: the answer says so, and nothing else is done.")
    elif standing.request.right in (Right.ACCESS, Right.PORTABILITY):
        yield _("A package is made of %(rows)s from %(stores)s and encrypted.") % where
        if sums["contested"] + sums["others"]:
            yield _("Rows about other people are left out or shortened as decided, and counted in the answer.")
        yield ngettext(
            "Only this person can download it, for %(days)d day; then it is deleted.",
            "Only this person can download it, for %(days)d days; then it is deleted.",
            settings.INSYN_PACKAGE_DAYS,
        ) % {"days": settings.INSYN_PACKAGE_DAYS}
    elif standing.request.right == Right.RECTIFICATION:
        yield _("The new values are written in every store that holds them, where the old value is still there.")
        yield _("Bookkeeping records are not overwritten. What does not match stops and waits for you.")
    elif standing.request.right == Right.RESTRICTION:
        yield _("%(rows)s in %(stores)s are marked as restricted; from then on they are only stored.") % where
        if settings.INSYN_STOP_SERVICES_ON_RESTRICTION.get(standing.request.ground):
            yield _("On this ground the person's services are suspended where the store has a hook for it.")
    elif standing.request.right == Right.OBJECTION:
        yield _("Marketing is switched off in every store, and the identities go on the suppression list as keyed hashes.")


def _stores(count: int) -> str:
    return ngettext("%(count)d store", "%(count)d stores", count) % {"count": count}


def propose(standing: Standing, target: int) -> Lines:
    return [
        _("Nothing is erased yet: a colleague reads the plan and approves it, or sends it back."),
        *_erased(standing),
        _("The plan as it stands now is what can be approved. If a store changes, it has to be proposed again."),
    ]


def approve_erasure(standing: Standing, target: int) -> Lines:
    return [
        *_erased(standing),
        _("The workers begin at once. This cannot be undone."),
        _("The person's packages are withdrawn, and the person is told when it is done."),
    ]


def _erased(standing: Standing) -> Iterator[str]:
    sums = totals(standing.runs)
    if not sums["rows"]:
        yield _("No store holds anything under the verified identities: the answer says so, and nothing else is done.")
        return
    yield _("%(delete)s will be deleted and %(anonymize)s anonymized.") % {
        "delete": rows_in_words(sums["delete"]),
        "anonymize": rows_in_words(sums["anonymize"] + sums["pinned"]),
    }
    if sums["kept"]:
        yield _("%(kept)s stay because a law keeps them; each returns to the plan when its date has come.") % {
            "kept": rows_in_words(sums["kept"])
        }


def extend(standing: Standing, target: int) -> Lines:
    request = standing.request
    until = due_date(request.received_at, paused_days=standing.paused_days, extended=True, eves_roll=settings.INSYN_EVES_ROLL)
    return [
        _("The answer is due on %(day)s instead of %(before)s. The law allows this once.")
        % {"day": day(until), "before": day(request.due_on)},
        _("The person is told now, with your reasons."),
    ]


def send_back(standing: Standing, target: int) -> Lines:
    lines = [_("The proposal or approval is taken back; the request is assessed and decided anew.")]
    if standing.request.state == State.BLOCKED:
        lines.append(_("What is done stays done. Stores that are not done yet are searched again."))
    return lines


def refuse(standing: Standing, target: int) -> Lines:
    return [
        _("Nothing is done in the stores, and the case is closed."),
        _("The person gets your reasons, and how to complain to the authority (IMY) and go to court."),
    ]


def resume(standing: Standing, target: int) -> Lines:
    run = next(item for item in standing.runs if item.pk == target)
    if run.located_at is None or run.state == RunState.READY:
        return [_("%(store)s is searched again for this person. Nothing is changed there.") % {"store": run.store.key}]
    return [
        _("%(store)s carries on with the plan that was approved. What is done already is not done twice.")
        % {"store": run.store.key}
    ]


def tell(standing: Standing, target: int) -> Lines:
    return [
        _("The person is told that the restriction is going to be lifted (Art. 18(3))."),
        _("Nothing is lifted yet: that is a step of its own, once the notice is delivered."),
    ]


def lift(standing: Standing, target: int) -> Lines:
    return [
        _("Every store puts back what it replaced, where it still holds what we set there."),
        _("The person was told before."),
        _("When every store is done the case is closed and the person is told."),
    ]


def task(standing: Standing, target: int) -> Lines:
    return [_("The task disappears from the case; the audit log says that you reported it.")]


def breach(standing: Standing, target: int) -> Lines:
    lines = [
        _("A breach is opened, and the 72 hours of Art. 33 run from the moment that you give."),
        _("A colleague decides whether the authority and the person are told."),
    ]
    return [_("The package is withdrawn and deleted at once; nobody is told of that yet."), *lines]
