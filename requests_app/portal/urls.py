"""The portal's addresses. References are random and public; nothing else about a person is ever in a URL."""

from django.urls import path

from requests_app.portal import asking, brand, consents, entry, following, identity, language, pages, receipts, receiving, writing

app_name = "portal"
urlpatterns = [
    path("", pages.start, name="start"),
    path("privacy/", pages.notice, name="notice"),
    path("privacy/versions/", pages.notice_versions, name="notice_versions"),
    path("privacy/<slug:version>/", pages.notice, name="notice_version"),
    path("privacy/<slug:version>/changes/", pages.notice_changes, name="notice_changes"),
    path("cookies/", pages.cookies, name="cookies"),
    path("receipt/", receipts.check, name="receipt_check"),
    path("contact/", pages.contact, name="contact"),
    path("brand/<slug:digest>/<str:name>", brand.brand_file, name="brand"),
    path("sprak/", language.switch_language, name="language"),
    path("sign-in/", entry.ask_email, name="sign_in"),
    path("sign-in/code/", entry.ask_code, name="sign_in_code"),
    path("sign-out/", entry.leave, name="sign_out"),
    path("identity/", identity.choose_number, name="identity"),
    path("identity/code/", identity.ask_code, name="identity_code"),
    path("identity/other/", identity.other_ways, name="identity_other"),
    path("ask/<slug:right>/", asking.begin, name="ask"),
    path("ask/<slug:right>/check/", asking.check, name="ask_check"),
    path("ask/<slug:right>/<slug:step>/", asking.step, name="ask_step"),
    path("consents/", consents.my_consents, name="consents"),
    path("consents/disclosure/", consents.name_recipient, name="consent_disclosure"),
    path("requests/", following.my_requests, name="requests"),
    path("requests/<str:reference>/", following.one_request, name="request"),
    path("requests/<str:reference>/sent/", following.sent, name="sent"),
    path("requests/<str:reference>/progress/", following.progress, name="progress"),
    path("requests/<str:reference>/withdraw/", following.withdraw, name="withdraw"),
    path("requests/<str:reference>/waive/", following.waive, name="waive"),
    path("requests/<str:reference>/messages/<int:upload>/", writing.file, name="message_file"),
    path("requests/<str:reference>/receipt/", receipts.receipt, name="receipt"),
    path("requests/<str:reference>/messages/", writing.write, name="messages"),
    path("requests/<str:reference>/package/", receiving.download, name="download"),
    path("requests/<str:reference>/package/as/<slug:form>/", receiving.download, name="download_as"),
    path("requests/<str:reference>/package/delete/", receiving.delete, name="package_delete"),
    path("requests/<str:reference>/package/read/", receiving.contents, name="package"),
    path("requests/<str:reference>/package/read/<int:number>/", receiving.table, name="package_table"),
]
