"""All settings. Without DATABASE_URL this is the demo: embedded servers, made-up keys, loopback only (docs/operator.md)."""

from datetime import timedelta
from pathlib import Path

import structlog
from celery.schedules import crontab
from csp.constants import NONE, SELF
from django.utils.translation import gettext_lazy as _

from config import embedded, env
from config.logs import CONFIGURATION, configure_structlog

BASE_DIR = Path(__file__).resolve().parent.parent

# --- demo or not ------------------------------------------------------------------------------------------------------

DEMO = env.is_absent("DATABASE_URL")  # set but empty is a mistake that must not end in a demo with made-up keys

if DEMO:
    _secrets = embedded.kept_secrets()
    _services = embedded.services()
    DATABASE_URL, REDIS_URL = _services.database_url, _services.redis_url
    SECRET_KEY = _secrets["django"]
    INSYN_ENCRYPTION_KEYS = [_secrets["encryption"]]
    INSYN_HASH_KEYS = env.hash_keys("", f"1:{_secrets['hash']}")
    ALLOWED_HOSTS = ["127.0.0.1", "localhost", "[::1]", "testserver"]
    CSRF_TRUSTED_ORIGINS: list[str] = []
    DEBUG = env.boolean("INSYN_DEBUG", default=False)
    # What only the demo has. Nothing in here exists outside it.
    DEMO_DIR: Path | None = _services.directory
    DEMO_POSTGRES_URL = embedded.postgres_url("postgres")
    DEMO_CREATE_DATABASE = "config.embedded.create_database"  # name -> URL; dotted, since the lower floors import no config
    _state: Path | None = _services.directory / "files"
else:
    DATABASE_URL, REDIS_URL = env.text("DATABASE_URL"), env.text("REDIS_URL")
    SECRET_KEY = env.text("SECRET_KEY")
    INSYN_ENCRYPTION_KEYS = env.fernet_keys("INSYN_ENCRYPTION_KEYS")
    INSYN_HASH_KEYS = env.hash_keys("INSYN_HASH_KEYS")
    ALLOWED_HOSTS = env.words("ALLOWED_HOSTS")
    CSRF_TRUSTED_ORIGINS = env.words("CSRF_TRUSTED_ORIGINS", "")
    DEBUG = False
    DEMO_DIR = None
    DEMO_POSTGRES_URL = DEMO_CREATE_DATABASE = ""
    _state = None


def _state_path(name: str, folder: str) -> Path:
    return _state / folder if _state else Path(env.text(name))


# --- Insyn ------------------------------------------------------------------------------------------------------------

INSYN_COMPANY_NAME = env.text("INSYN_COMPANY_NAME", "Nordhem Webbhotell AB" if DEMO else None)
INSYN_SUPPORT_EMAIL = env.text("INSYN_SUPPORT_EMAIL", "dataskydd@nordhem.example" if DEMO else None)
INSYN_SUPPORT_PHONE = env.text("INSYN_SUPPORT_PHONE", "+46 8 465 004 97" if DEMO else "")
INSYN_POSTAL_ADDRESS = env.text("INSYN_POSTAL_ADDRESS", "Nordhem Webbhotell AB, Exempelgatan 1, 111 11 Stockholm" if DEMO else "")
# Whom to ask about data protection, and the country in which Insyn's own database lies: for the record of processing (Art. 30).
INSYN_DPO_CONTACT = env.text("INSYN_DPO_CONTACT", "Olof Ombud, dataskyddsombud@nordhem.example" if DEMO else "")
INSYN_COUNTRY = env.text("INSYN_COUNTRY", "SE" if DEMO else "")
# The company's look: a picture file, and colours that can be read on what they stand on (requests_app/portal/colours.py).
INSYN_BRAND_LOGO = env.text("INSYN_BRAND_LOGO", "")
INSYN_BRAND_DEFAULTS = ("#12433d", "#f5f1e6", "#e3a857", "#0b5a50", "#86d6c5")  # as static/portal/portal.css has them
INSYN_BRAND_COLOR = env.colour("INSYN_BRAND_COLOR", INSYN_BRAND_DEFAULTS[0])
INSYN_BRAND_INK = env.colour("INSYN_BRAND_INK", INSYN_BRAND_DEFAULTS[1])
INSYN_BRAND_ACCENT = env.colour("INSYN_BRAND_ACCENT", INSYN_BRAND_DEFAULTS[2])
INSYN_BRAND_LINK = env.colour("INSYN_BRAND_LINK", INSYN_BRAND_DEFAULTS[3])
INSYN_BRAND_LINK_DARK = env.colour("INSYN_BRAND_LINK_DARK", INSYN_BRAND_DEFAULTS[4])

INSYN_PACKAGE_DIR = _state_path("INSYN_PACKAGE_DIR", "packages")
INSYN_PACKAGE_DAYS = env.integer("INSYN_PACKAGE_DAYS", 14, least=1)
# How long an account stays after its person's erasure was answered, for the answer is read by signing in (R24).
INSYN_ACCOUNT_DAYS = env.integer("INSYN_ACCOUNT_DAYS", 30, least=0)
# Our own case files: how long after its closing a case goes with all that belongs to it, how long a message stays, how long after
# the closing the values stay by which rows were found, and how long an account is kept that nobody uses.
INSYN_CASE_MONTHS = env.integer("INSYN_CASE_MONTHS", 36, least=1)
INSYN_MESSAGE_MONTHS = env.integer("INSYN_MESSAGE_MONTHS", 36, least=1)
INSYN_PLAN_DAYS = env.integer("INSYN_PLAN_DAYS", 90, least=1)
INSYN_UNUSED_ACCOUNT_MONTHS = env.integer("INSYN_UNUSED_ACCOUNT_MONTHS", 36, least=1)
# A replaced address or number takes effect so many hours after the old one was told (R16); at once in the demo.
INSYN_CONTACT_CHANGE_HOURS = env.integer("INSYN_CONTACT_CHANGE_HOURS", 0 if DEMO else 72, least=0)
# Files that customers send: where they lie encrypted, how large a form with files may be, and how long evidence stays at most.
INSYN_UPLOAD_DIR = Path(env.text("INSYN_UPLOAD_DIR", str(INSYN_PACKAGE_DIR / "uploads")))
INSYN_UPLOAD_MB = env.integer("INSYN_UPLOAD_MB", 10, least=1)
INSYN_EVIDENCE_DAYS = env.integer("INSYN_EVIDENCE_DAYS", 30, least=1)
# clamd as `host:port` or the path of its socket. Without it no file is taken; the demo takes them unscanned.
INSYN_CLAMAV = env.endpoint("INSYN_CLAMAV")
INSYN_UPLOADS_OPEN = bool(INSYN_CLAMAV) or DEMO
INSYN_LEDGER_FILE = _state_path("INSYN_LEDGER_FILE", "ledger.jsonl")
INSYN_CHECKPOINT_DIR = _state_path("INSYN_CHECKPOINT_DIR", "checkpoints")
# Ed25519 seed that signs checkpoints of the audit log, and public keys of seeds used before (docs/audit.md).
INSYN_CHECKPOINT_KEY = env.derived(_secrets["encryption"], "checkpoint") if DEMO else env.text("INSYN_CHECKPOINT_KEY")
INSYN_CHECKPOINT_PUBLIC_KEYS = env.words("INSYN_CHECKPOINT_PUBLIC_KEYS", "")
# Whether an audit payload that looks personal is an error; else the value is left out and its key logged.
INSYN_AUDIT_STRICT = env.boolean("INSYN_AUDIT_STRICT", default=DEMO)
INSYN_BACKUP_HORIZON_DAYS = env.integer("INSYN_BACKUP_HORIZON_DAYS", 90, least=1)

# Hosts that a store's URL may name, and the folder below which an SQLite store must lie.
INSYN_STORE_HOST_ALLOWLIST = env.words("INSYN_STORE_HOST_ALLOWLIST", "127.0.0.1,localhost,::1" if DEMO else "")
INSYN_SQLITE_ROOT = _state_path("INSYN_SQLITE_ROOT", "sqlite") if DEMO else Path(env.text("INSYN_SQLITE_ROOT", "/nonexistent"))

INSYN_CODE_MINUTES = env.integer("INSYN_CODE_MINUTES", 10, least=1)
INSYN_IDENTITY_UNCHANGED_DAYS = env.integer("INSYN_IDENTITY_UNCHANGED_DAYS", 30)
INSYN_CODE_ATTEMPTS = env.integer("INSYN_CODE_ATTEMPTS", 5, least=1)
INSYN_CODES_PER_IDENTITY_HOUR = env.integer("INSYN_CODES_PER_IDENTITY_HOUR", 30 if DEMO else 5, least=1)
INSYN_CODES_PER_ADDRESS_HOUR = env.integer("INSYN_CODES_PER_ADDRESS_HOUR", 30, least=1)
INSYN_CODES_TOTAL_HOUR = env.integer("INSYN_CODES_TOTAL_HOUR", 2000, least=1)
INSYN_CODE_FAILURES_PER_IDENTITY_DAY = env.integer("INSYN_CODE_FAILURES_PER_IDENTITY_DAY", 20, least=1)
INSYN_PROXIES = env.integer("INSYN_PROXIES", 0)  # own proxies in front, each of which adds to X-Forwarded-For
# Who carries messages (dotted paths to a Messenger, accounts/messaging.py). In the demo both go to its inbox page.
_MESSENGER = "demo.inbox.InboxMessenger" if DEMO else None
INSYN_EMAIL_MESSENGER = _MESSENGER or env.dotted("INSYN_EMAIL_MESSENGER", "accounts.messaging.SmtpMessenger")
INSYN_SMS_MESSENGER = _MESSENGER or env.dotted("INSYN_SMS_MESSENGER", "accounts.messaging.HttpSmsGateway")
INSYN_SMS_GATEWAY_URL = env.text("INSYN_SMS_GATEWAY_URL", "")
INSYN_SMS_GATEWAY_SECRET = env.text("INSYN_SMS_GATEWAY_SECRET", "")
# Electronic identification by an OpenID Connect broker: which of its claims is matched with which kind of identity in the stores.
INSYN_EID_ISSUER = env.https("INSYN_EID_ISSUER", loopback=DEMO)
INSYN_EID_CLIENT_ID = env.text("INSYN_EID_CLIENT_ID", "" if not INSYN_EID_ISSUER else None)
INSYN_EID_CLIENT_SECRET = env.text("INSYN_EID_CLIENT_SECRET", "" if not INSYN_EID_ISSUER else None)
INSYN_EID_SCOPE = env.text("INSYN_EID_SCOPE", "openid")
INSYN_EID_ACR = env.words("INSYN_EID_ACR", "")
INSYN_EID_CLAIM = env.text("INSYN_EID_CLAIM", "" if not INSYN_EID_ISSUER else None)
INSYN_EID_MATCHES = env.text("INSYN_EID_MATCHES", "personnummer")
INSYN_EID_NAME = env.text("INSYN_EID_NAME", "e-ID")
# A customer's sitting: without a request, and in any case.
INSYN_SESSION_IDLE_MINUTES = env.integer("INSYN_SESSION_IDLE_MINUTES", 30, least=1)
INSYN_SESSION_HOURS = env.integer("INSYN_SESSION_HOURS", 8, least=1)
INSYN_CUSTOMER_SIGNIN_URL, INSYN_CUSTOMER_IDENTITY_URL = "portal:sign_in", "portal:identity"
# The privacy policy that a new installation begins with (templates/portal/notices/<version>.html); later ones are put in force
# by `manage.py policy`. Every request notes which was shown (Art. 13).
INSYN_NOTICE_VERSION = env.text("INSYN_NOTICE_VERSION", "2026-12")
# Where the customers' portal is, for the notices that say where to sign in; left out of them when empty.
INSYN_PUBLIC_URL = env.text("INSYN_PUBLIC_URL", f"http://127.0.0.1:{env.integer('PORT', 8000)}/" if DEMO else "")
# How long a worker may hold a run without a sign of life before somebody else is given it: longer than any statement in a store.
INSYN_LEASE_SECONDS = env.integer("INSYN_LEASE_SECONDS", 240, least=5)
# Web hooks are signed with this secret and posted to these hosts only.
INSYN_HOOK_SECRET = env.derived(_secrets["encryption"], "hook") if DEMO else env.text("INSYN_HOOK_SECRET", "")
INSYN_HOOK_HOST_ALLOWLIST = env.words("INSYN_HOOK_HOST_ALLOWLIST", "")
# A recipient of changed data is told within so many days (Art. 19); as many later the officer sees who is not.
INSYN_RECIPIENT_DAYS = env.integer("INSYN_RECIPIENT_DAYS", 7, least=1)
# A due date on a Saturday, Sunday or holiday moves to the next working day; do the "eves" (Midsummer's Eve …) count as such?
INSYN_EVES_ROLL = env.boolean("INSYN_EVES_ROLL", default=False)
# Art. 18(1): on which grounds a restriction also suspends the customer's services by the store's hook.
INSYN_STOP_SERVICES_ON_RESTRICTION = {"a": True, "b": False, "c": False, "d": False}

# What a lower floor asks of an upper one, by dotted path (config/wiring.py checks that they load).
INSYN_PURGE_GUARD = "requests_app.keeping.guard.RequestGuard"

# --- Django -----------------------------------------------------------------------------------------------------------

INSTALLED_APPS = [
    "config",
    "requests_app",
    "accounts",
    "privacy",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "django.contrib.postgres",
    "rest_framework",
    "drf_spectacular",
    "django_otp",
    "django_otp.plugins.otp_totp",
    "django_otp.plugins.otp_static",
    "django_htmx",
    "csp",
]
if DEMO:
    INSTALLED_APPS.insert(1, "demo")

MIDDLEWARE = [
    "config.ops.ProbeMiddleware",
    "config.ops.RequestLogMiddleware",
    "config.compress.CompressMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "requests_app.portal.language.LanguageMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django_otp.middleware.OTPMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
]

ROOT_URLCONF = "config.urls"
WSGI_APPLICATION = "config.wsgi.application"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
AUTH_USER_MODEL = "accounts.Staff"
LOGIN_URL = "admin:login"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.template.context_processors.i18n",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "config.ops.company",
                "requests_app.portal.context.portal",
            ],
        },
    },
]

DATABASES = {"default": env.database("DATABASE_URL", DATABASE_URL) | {"ATOMIC_REQUESTS": False, "CONN_HEALTH_CHECKS": True}}
CACHES = {"default": {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": REDIS_URL, "KEY_PREFIX": "insyn"}}

AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]
OTP_TOTP_ISSUER = INSYN_COMPANY_NAME

LANGUAGE_CODE = "sv"
LANGUAGES = [("sv", _("Swedish")), ("en", _("English"))]
LOCALE_PATHS = [BASE_DIR / "locale"]
TIME_ZONE = "Europe/Stockholm"
USE_I18N = True
USE_TZ = True
FORMAT_MODULE_PATH = "config.formats"

STATIC_URL = "static/"
STATIC_ROOT = _state_path("", "static") if DEMO else Path(env.text("STATIC_ROOT", str(BASE_DIR / "staticfiles")))
if DEMO:
    STATIC_ROOT.mkdir(parents=True, exist_ok=True)  # empty; WhiteNoise warns when it is not there
STATICFILES_DIRS = [BASE_DIR / "static"] if (BASE_DIR / "static").is_dir() else []
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
        if DEMO
        else "whitenoise.storage.CompressedManifestStaticFilesStorage"
    },
}
WHITENOISE_USE_FINDERS = DEMO  # the demo serves static files from where they lie, without collectstatic

DATA_UPLOAD_MAX_MEMORY_SIZE = 1024 * 1024
DATA_UPLOAD_MAX_NUMBER_FIELDS = 500
DATA_UPLOAD_MAX_NUMBER_FILES = 5
FILE_UPLOAD_HANDLERS = ["requests_app.files.upload_handler.MemoryOnly"]

# --- mail -------------------------------------------------------------------------------------------------------------

# The demo's mail and text messages go to its inbox page and nowhere else, by the senders of requests_app.
EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend" if DEMO else "django.core.mail.backends.smtp.EmailBackend"
DEFAULT_FROM_EMAIL = env.text("DEFAULT_FROM_EMAIL", INSYN_SUPPORT_EMAIL)
EMAIL_TIMEOUT = 20
if not DEMO:
    EMAIL_HOST = env.text("EMAIL_HOST")
    EMAIL_PORT = env.integer("EMAIL_PORT", 587, least=1)
    EMAIL_HOST_USER = env.text("EMAIL_HOST_USER", "")
    EMAIL_HOST_PASSWORD = env.text("EMAIL_HOST_PASSWORD", "")
    EMAIL_USE_TLS = env.boolean("EMAIL_USE_TLS", default=True)

# --- security ---------------------------------------------------------------------------------------------------------

CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF, "data:"],
        "font-src": [SELF],
        "connect-src": [SELF],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
        "base-uri": [NONE],
    },
}
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_AGE = int(timedelta(hours=8).total_seconds())
CSRF_COOKIE_SAMESITE = "Lax"
MESSAGE_STORAGE = "django.contrib.messages.storage.session.SessionStorage"  # the stock one sets a cookie of its own
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
CSRF_FAILURE_VIEW = "requests_app.portal.errors.csrf_failure"
if not DEMO:
    SESSION_COOKIE_NAME = "__Host-session"
    CSRF_COOKIE_NAME = "__Host-csrf"
    SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = True
    SECURE_SSL_REDIRECT = env.boolean("SECURE_SSL_REDIRECT", default=True)
    SECURE_HSTS_SECONDS = env.integer("SECURE_HSTS_SECONDS", 31536000)
    SECURE_HSTS_INCLUDE_SUBDOMAINS = env.boolean("SECURE_HSTS_INCLUDE_SUBDOMAINS", default=True)
    SECURE_HSTS_PRELOAD = env.boolean("SECURE_HSTS_PRELOAD", default=True)
    if env.boolean("BEHIND_PROXY", default=False):
        SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
INSYN_METRICS_TOKEN = env.text("INSYN_METRICS_TOKEN", "")  # /metrics answers to `Authorization: Bearer …` only; closed when empty

# --- API --------------------------------------------------------------------------------------------------------------

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],  # closed unless a view opens itself
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
    "DEFAULT_PAGINATION_CLASS": "rest_framework.pagination.CursorPagination",
    "PAGE_SIZE": 50,
    "DEFAULT_THROTTLE_RATES": {"api_read": "120/min", "api_write": "60/hour"},  # per customer
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "UNAUTHENTICATED_USER": None,
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Insyn",
    "DESCRIPTION": "A customer's own data protection requests: submit, follow, withdraw, download.",
    "VERSION": "1",
    "SERVE_INCLUDE_SCHEMA": False,
    "COMPONENT_SPLIT_REQUEST": True,
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "ENUM_NAME_OVERRIDES": {
        "RightEnum": "requests_app.models.Right",
        "RequestStateEnum": "requests_app.models.State",
        "PackageStateEnum": "requests_app.models.Package.State",
        "EventKindEnum": ["submitted", "identity", "clock", "work", "answer"],
        "FieldKindEnum": ["text", "email", "phone", "postcode"],
    },
}

# --- Celery -----------------------------------------------------------------------------------------------------------

CELERY_BROKER_URL = REDIS_URL.replace("unix://", "redis+socket://").replace("?db=", "?virtual_host=")
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
# A task that is not acknowledged in this time is delivered again: longer than any task may run.
CELERY_BROKER_TRANSPORT_OPTIONS = {"visibility_timeout": 3600}
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_TASK_TIME_LIMIT = 3000
CELERY_TASK_SERIALIZER = CELERY_RESULT_SERIALIZER = CELERY_EVENT_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_TIMEZONE = TIME_ZONE
CELERY_BEAT_SCHEDULE = {
    "sweep": {"task": "requests_app.tasks.sweep", "schedule": 10, "options": {"expires": 10}},
    "scan-residue": {"task": "requests_app.tasks.scan_residue", "schedule": 60, "options": {"expires": 60}},
    "deliver-outbox": {"task": "requests_app.tasks.deliver_outbox", "schedule": 5, "options": {"expires": 5}},
    "expire-packages": {
        "task": "requests_app.tasks.expire_packages",
        "schedule": crontab(minute="7"),
        "options": {"expires": 3600},
    },
    "nightly": {
        "task": "requests_app.tasks.nightly",
        "schedule": crontab(hour="2", minute="10"),
        "options": {"expires": 3600 * 12},
    },
    "keep-proof": {
        "task": "privacy.tasks.keep_proof",
        "schedule": crontab(hour="3", minute="20"),
        "options": {"expires": 3600 * 12},
    },
    "purge": {"task": "privacy.tasks.purge", "schedule": crontab(hour="2", minute="40"), "options": {"expires": 3600 * 12}},
}

# --- logs -------------------------------------------------------------------------------------------------------------

DEFAULT_EXCEPTION_REPORTER = "config.errors.Frames"
LOGGING = CONFIGURATION
configure_structlog()
structlog.contextvars.clear_contextvars()
