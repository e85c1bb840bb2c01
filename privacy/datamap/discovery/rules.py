"""What a column's name says it holds, in Swedish and in English: a table, one rule to a line.

A rule says where its name is believed: `anywhere`, in a table `about` people, beside a person's mailbox (`signed`), in
whatever hangs below a person (`near`), or beside other parts of an address. `customer.name` is a person's name, `genre.name` is not.
"""
# ruff: noqa: E501

from __future__ import annotations

from dataclasses import dataclass

ANYWHERE, ABOUT, SIGNED, NEAR, ADDRESS = "anywhere", "about", "signed", "near", "address"
TEXTS = frozenset({"text", "other", "array", "json"})
NUMBERS = TEXTS | {"int", "decimal"}
TIMES = TEXTS | {"date", "datetime"}
BYTES = TEXTS | {"bytes"}


@dataclass(frozen=True)
class Rule:
    """`pattern` matches whole words anywhere in the name; `families` are the kinds of columns that can hold such a thing."""

    category: str
    where: str
    pattern: str
    identity: str | None = None
    families: frozenset[str] = TEXTS


NUMBER = "(number|num|no|nr|nummer)"
WHO = "(customer|client|member|subscriber|patient|kund|medlem|medlems|abonnent|klient)"

# The first that matches counts, so `email_address` is no street and `ip_address` no address.
RULES = (
    Rule("user.unique_id.pseudonymous", ANYWHERE, "(email|phone|ip|identity|account|address|target)_(hash|lookup|digest|sha_256)"),
    Rule("user.contact.email", ANYWHERE, r"e?_?mail(s|_?addr(ess)?|_?adress)?|e_?post(_?adress)?|mejl(_?adress)?", "email"),
    Rule("user.device.ip_address", ANYWHERE, r"ip|ip_?addr(ess)?|ip_?adress|ipv(_4|_6)?|remote_(addr|host|ip)|client_network"),
    Rule("user.device.device_id", ANYWHERE, r"imei|udid|mac_addr(ess)?|device_(id|token)|push_token|enhets_?id"),
    Rule("user.device.cookie_id", NEAR, r"cookie|cookie_id|session_(id|key|token)"),
    Rule("user.device", ANYWHERE, r"user_?agent"),
    Rule("user.device", NEAR, r"browser|operating_system"),
    Rule("user.contact.fax_number", ANYWHERE, rf"(tele)?fax(_?{NUMBER})?"),
    Rule(
        "user.contact.phone_number", ANYWHERE,
        rf"(tele|cell|mobile_?|home_?|work_?)?phone(_?{NUMBER})?|(mobil)?telefon(_?{NUMBER})?|tel(_?{NUMBER})?|"
        rf"mobile?(_?{NUMBER})?|cell|msisdn|riktnummer",
        "phone_number", NUMBERS,
    ),
    Rule(
        "user.government_id.national_identification_number", ANYWHERE,
        rf"person(al)?_?(nr|nummer)|pers_?nr|pnr|ssn|social_security(_?{NUMBER})?|national_id(_?{NUMBER})?|"
        rf"personal_identity_{NUMBER}|samordnings_?(nr|nummer)|(personal|national)_identification(_{NUMBER})?",
        families=NUMBERS,
    ),
    Rule("user.government_id.passport_number", ANYWHERE, rf"passport(_?{NUMBER})?|pass_?nummer"),
    Rule("user.government_id.drivers_license_number", ANYWHERE, rf"drivers?_?licen[cs]e(_?{NUMBER})?|korkort(s_?nummer)?"),
    Rule("user.government_id.vehicle_registration", NEAR, r"licen[cs]e_plate|registrerings_?nummer|reg_?nr"),
    Rule("user.government_id", NEAR, rf"org_?{NUMBER}|organi[sz]ations?_?{NUMBER}|vat_{NUMBER}|tax_(id|{NUMBER})", families=NUMBERS),
    Rule("user.name.first", ANYWHERE, r"(first|given|fore|middle)_?name|fornamn|tilltals_?namn|mellan_?namn"),
    Rule("user.name.last", ANYWHERE, r"(last|family|sur|maiden)_?name|efternamn"),
    Rule("user.account.username", ANYWHERE, r"user_?name|login(_?name)?|anvandar_?namn|screen_?name"),
    Rule(
        "user.name", ANYWHERE,
        r"(full|nick|real|person|contact|customer|client|member|employee|holder|cardholder|owner|recipient|sender|payer|billing|"
        r"shipping|author|guest)_?name|(kund|kontakt|person|agar|mottagar|betalar)_?namn|attention|your_reference|er_referens",
    ),
    Rule("user.name", SIGNED, r"(display_?)?name|namn|initials|salutation|tilltal"),
    Rule("user.demographic.date_of_birth", ANYWHERE, r"birth_?(date|day|year)|date_of_birth|dob|fodelse_?(datum|dag|ar)|fodd", families=TIMES | {"int"}),
    Rule("user.demographic.gender", ANYWHERE, r"gender|pronouns?", families=NUMBERS),
    Rule("user.demographic.gender", ABOUT, r"sex|kon", families=NUMBERS),
    Rule("user.demographic.age_range", ABOUT, r"age|alder", families=NUMBERS),
    Rule("user.demographic.marital_status", ANYWHERE, r"marital_status|civilstand", families=NUMBERS),
    Rule("user.demographic.race_ethnicity", ANYWHERE, r"ethnicity|race_ethnicity|nationality|medborgarskap|etnicitet"),
    Rule("user.demographic.religious_belief", ANYWHERE, r"religion|religious_belief|trosuppfattning"),
    Rule("user.demographic.political_opinion", ANYWHERE, r"political_(opinion|party|view)s?|partitillhorighet"),
    Rule("user.demographic.sexual_orientation", ANYWHERE, r"sexual_orientation|sexuell_laggning"),
    Rule("user.health_and_medical", ANYWHERE, r"diagnos(is|es)?|allerg(y|ies|i|ier)|medical_\w+|blood_(type|group)|sjukdom|blodgrupp|journal_?nummer"),
    Rule("user.demographic.language", ABOUT, r"language|locale|preferred_language|sprak"),
    Rule("user.contact.address.postal_code", ADDRESS, rf"post(al)?_?code|zip(_?code)?|post_?{NUMBER}", families=NUMBERS),
    Rule("user.contact.address.street", ADDRESS, r"street(_?(addr(ess)?|name|no|number))?|gatu?a?(_?adress)?|gatu_?adress|utdelnings_?adress"),
    Rule("user.contact.address.street", ANYWHERE, r"(post_?|bostads_?|hem_?|home_|postal_|billing_|shipping_|delivery_|bill_|ship_)(addr(ess)?|adress)"),
    Rule("user.contact.address.street", ADDRESS, r"addr(ess)?(_line)?|line|adress(_?rad)?|c_o|co_adress|careof"),
    Rule("user.contact.address.city", ADDRESS, r"city|town|(post_?)?ort|stad|locality"),
    Rule("user.contact.address.state", ADDRESS, r"state|province|county|region|lan|kommun"),
    Rule("user.contact.address.country", ADDRESS, r"country(_?code)?|land(s_?kod)?"),
    Rule("user.location.precise", NEAR, r"lat(itude)?|lng|lon(gitude)?|gps|geo_?location|coordinates?|koordinater?", families=NUMBERS | {"float"}),
    Rule("user.authorization.password", ANYWHERE, r"pass_?word|passwd|pwd|losen_?ord", families=BYTES),
    Rule("user.authorization.credentials", NEAR, r"(api|access|refresh|auth|reset|secret|private)_?(key|token)|otp(_secret)?|secret|pin(_?code)?", families=BYTES),
    Rule("user.financial.bank_account", ANYWHERE, rf"iban|bank_?account(_?{NUMBER})?|(bank_?)?konto_?(nr|nummer)|clearing_?(nr|nummer)|swish(_?{NUMBER})?", families=NUMBERS),
    Rule("user.financial.credit_card", ANYWHERE, rf"(credit|debit|payment)?_?card_?{NUMBER}|credit_?card|kort_?nummer|card_last_?(4|four)", families=NUMBERS),
    Rule("user.financial", NEAR, r"salary|wage|income|credit_score|(manads|ars)_?lon|inkomst", families=NUMBERS | {"float"}),
    Rule("user.unique_id", ANYWHERE, rf"{WHO}_?{NUMBER}", "customer_number", NUMBERS),
    Rule("user.contact.organization", ABOUT, r"company(_?name)?|employer|organi[sz]ation(_?name)?|foretag(s_?namn)?|firma|arbetsgivare"),
    Rule("user.job_title", ANYWHERE, r"job_?title|occupation|yrke|befattning"),
    Rule("user.job_title", ABOUT, r"title|titel"),
    Rule("user.contact.url", ABOUT, r"web_?site|home_?page|hemsida|linkedin|twitter|facebook|instagram|github"),
    Rule("user.content.self_image", ABOUT, r"photo|picture|avatar|profile_?(image|picture)|portrait|selfie|foto|portratt", families=BYTES),
    Rule("user.biometric", ANYWHERE, r"finger_?print_(data|template)|retina_?scan|voice_?print|fingeravtryck", families=BYTES),
    Rule("user.behavior.search_history", NEAR, r"query|search_(query|term|text)s?|sok(ord|fras|term)"),
    Rule("user.behavior.browsing_history", NEAR, r"referr?er|visited_url|page_url|landing_page"),
    Rule("user.behavior", NEAR, r"last_(login|seen|active|visit)(_at|_on)?|log(ged|in)_(in_)?at|senast_(inloggad|sedd)", families=TIMES),
    Rule("user.privacy_preferences", NEAR, r"marketing(_\w+)?|newsletter|(marketing_|newsletter_)?(opt_(in|out)|consent)|samtycke|nyhetsbrev|do_not_\w+", families=NUMBERS | {"bool"}),
    Rule(
        "user.content.private", NEAR,
        r"body(_(text|html))?|message(_text)?|text|content|comments?|notes?|remarks?|description|feedback|review|bio(graphy)?|about(_me)?|subject|question|"
        r"answer|reply|anteckning(ar)?|meddelande|kommentar(er)?|beskrivning|fritext|fraga|svar|arende|noteringar?|prompt|transcript",
    ),
)  # fmt: skip
