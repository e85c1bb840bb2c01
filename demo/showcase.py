"""The named people of the demo: one for each thing worth seeing, with the story that the list of logins tells."""

from dataclasses import dataclass
from datetime import date, timedelta

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from demo.people import ContactPerson, Employee, Person, Population

STAFF_DOMAIN = "nordhem.example"


@dataclass(frozen=True)
class Login:
    """A customer to sign in as. The number is only there where a code can be sent to it."""

    email: str
    name: str
    story: str | Promise


LOGINS = (
    Login("anna.andersson@example.com", "Anna Andersson", _("an ordinary former customer: all rights can be carried out, invoices stay")),
    Login("bertil.berg@example.com", "Bertil Berg", _("has a running contract: erasure answers “not yet”")),
    Login("cecilia.carlsson@example.org", "Cecilia Carlsson", _("ten years of invoices: some past the law’s seven years, most kept")),
    Login("david.dahl@example.com", "David Dahl", _("shares a domain with Disa Dahl (a contested row) and is her contact person")),
    Login("disa.dahl@example.com", "Disa Dahl", _("the other half of the shared domain")),
    Login("eva.ek@example.net", "Eva Ek", _("two customer records with two spellings of one e-mail address")),
    Login(f"fatima.forsberg@{STAFF_DOMAIN}", "Fatima Forsberg", _("works in support and is a customer too: other customers’ rows stay out")),
    Login("gunnar.gran@example.org", "Gunnar Gran", _("protected identity and no telephone: needs the other door")),
    Login("hanna.holm@example.com", "Hanna Holm", _("changed her telephone number last week: it proves nothing yet")),
    Login("ingrid.isaksson@example.com", "Ingrid Isaksson", _("shares a telephone with Ivar Isaksson: a shared identity")),
    Login("klara.kvist@example.com", "Klara Kvist", _("also in a forgotten table that no map names: the residue scan finds it")),
    Login("lars.lund@example.com", "Lars Lund", _("has a very busy web site: many thousand rows of history")),
    Login("nobody@example.com", "", _("is in no store: “nothing found under these identities”")),
)  # fmt: skip


def named(today: date) -> Population:
    """The named people alone, as they stand on `today`."""

    def back(years: float) -> date:
        return today - timedelta(days=int(years * 365.25))

    people = (
        Person(
            "K-104233", "Anna Andersson", "anna.andersson@example.com", "070-174 06 05", "Björkgatan 12", "753 23", "Uppsala", back(4.7), back(4.7),
            marketing=True, domains=("anna-andersson.example",), ended_on=back(0.4), support_rep=2, tickets=2,
        ),
        Person(
            "K-105017", "Bertil Berg", "bertil.berg@example.com", "070-174 06 06", "Hamngatan 3", "411 06", "Göteborg", back(3.7), back(2),
            company="Bergs Bageri AB", marketing=True, domains=("bergs-bageri.example",), months_per_invoice=3, support_rep=3,
        ),
        Person(
            "K-100108", "Cecilia Carlsson", "cecilia.carlsson@example.org", "070-174 06 07", "Storgatan 41", "582 23", "Linköping", back(9.9), back(6),
            domains=("carlsson-keramik.example", "cecilias-hem.example"), ended_on=back(0.8), months_per_invoice=3, support_rep=1,
        ),
        Person(
            "K-102940", "David Dahl", "david.dahl@example.com", "070-174 06 08", "Kyrkogatan 7", "222 22", "Lund", back(6.3), back(6.3),
            domains=("dahl-form.example", "david-dahl.example"), ended_on=back(0.5), support_rep=2,
        ),
        Person(
            "K-102953", "Disa Dahl", "disa.dahl@example.com", "070-174 06 09", "Kyrkogatan 7", "222 22", "Lund", back(6.2), back(3),
            domains=("disa-dahl.example",), ended_on=back(0.5), support_rep=2,
        ),
        Person(
            "K-101702", "Eva Ek", "eva.ek@example.net", "070-174 06 10", "Ekbacken 2", "352 33", "Växjö", back(7.8), back(7.8),
            domains=("eva-ek.example",), ended_on=back(3), support_rep=4,
        ),
        Person(
            "K-106311", "Eva Ek", "Eva.Ek@Example.net", "070-174 06 11", "Ekbacken 2", "352 33", "Växjö", back(2.1), back(2.1),
            domains=("evas-tradgard.example",), ended_on=back(0.6), support_rep=4,
        ),
        Person(
            "K-103377", "Fatima Forsberg", f"fatima.forsberg@{STAFF_DOMAIN}", "070-174 06 12", "Lingonvägen 19", "702 25", "Örebro", back(5.8), back(1),
            domains=("fatimas-foto.example",), ended_on=back(0.3), support_rep=5,
        ),
        Person(
            "K-105590", "Gunnar Gran", "gunnar.gran@example.org", None, "c/o Förmedlingsuppdraget, Box 100", "111 11", "Stockholm", back(3), back(3),
            protected=True, domains=("gran-5590.example",), ended_on=back(0.7), support_rep=1,
        ),
        Person(
            "K-106008", "Hanna Holm", "hanna.holm@example.com", "070-174 06 13", "Sjövägen 5", "903 27", "Umeå", back(2.5), today - timedelta(days=6),
            marketing=True, domains=("hannas-hundar.example",), ended_on=back(0.3), support_rep=6,
        ),
        Person(
            "K-104802", "Ingrid Isaksson", "ingrid.isaksson@example.com", "070-174 06 14", "Åkervägen 8", "831 30", "Östersund", back(4), back(4),
            domains=("isaksson-vav.example",), ended_on=back(0.5), support_rep=3,
        ),
        Person(
            "K-104809", "Ivar Isaksson", "ivar.isaksson@example.com", "+46 70 174 06 14", "Åkervägen 8", "831 30", "Östersund", back(4), back(4),
            domains=("isaksson-snickeri.example",), support_rep=3,
        ),
        Person(
            "K-101150", "Klara Kvist", "klara.kvist@example.com", "070-174 06 15", "Skolgatan 22", "852 31", "Sundsvall", back(8.5), back(5),
            marketing=True, domains=("kvist-arkitekter.example",), ended_on=back(0.9), support_rep=4,
        ),
        Person(
            "K-102216", "Lars Lund", "lars.lund@example.com", "070-174 06 16", "Industrivägen 30", "504 52", "Borås", back(7.2), back(4),
            company="Lunds Cykel AB", domains=("lunds-cykel.example",), ended_on=back(0.25), months_per_invoice=3, support_rep=6, busy=300,
        ),
    )  # fmt: skip
    contacts = (
        ContactPerson("David Dahl", "david.dahl@example.com", "070-174 06 08", "ägare", ("K-102940", "K-102953")),
        ContactPerson("Malin Munk", "malin.munk@example.org", "070-174 06 17", "redovisningskonsult", ("K-105017", "K-102216")),
    )
    staff = ("Amir Aziz", "Britta Boman", "Carl Cedergren", "Doris Dalin", "Fatima Forsberg", "Erik Enlund")
    employees = tuple(
        Employee(
            place,
            name,
            f"{name.lower().replace(' ', '.')}@{STAFF_DOMAIN}",
            "070-174 06 12" if name == "Fatima Forsberg" else f"08-465 004 9{place}",
            back(8 - place),
        )
        for place, name in enumerate(staff, 1)
    )
    return Population(today, people, employees, contacts, {"dahl-form.example": "K-102953"}, ("K-101150",))
