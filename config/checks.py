"""System checks of the house itself."""

from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, register
from django.utils.module_loading import import_string

from requests_app.portal import brand, colours


@register(Tags.security, deploy=True)
def not_the_demo(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    if not settings.DEMO:
        return []
    return [
        Error(
            "This is the demo: embedded servers, made-up keys, an open inbox.",
            hint="Set DATABASE_URL and the settings that docs/operator.md lists.",
            id="insyn.E001",
        )
    ]


@register(deploy=True)
def dotted_paths_load(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """What settings name by dotted path must exist: a purge without its guard would otherwise fail at night."""
    found: list[CheckMessage] = []
    for name in ("INSYN_PURGE_GUARD", "INSYN_EMAIL_MESSENGER", "INSYN_SMS_MESSENGER"):
        path = getattr(settings, name)
        try:
            if path:
                import_string(path)
        except ImportError as error:
            found.append(Error(f"{name}: {error}", id="insyn.E002"))
    return found


@register()
def the_company_s_look(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """Colours that cannot be read, or a logo that cannot be shown, are found before anybody meets them."""
    hint = "docs/operator.md says what each colour is for."
    found: list[CheckMessage] = [Error(told, hint=hint, id="insyn.E003") for told in colours.too_faint(colours.of_the_company())]
    if settings.INSYN_BRAND_LOGO:
        try:
            brand.read_logo(Path(settings.INSYN_BRAND_LOGO))
        except brand.UnusableLogo as error:
            found.append(Error(f"INSYN_BRAND_LOGO: {error}.", id="insyn.E004"))
    return found
