"""Settings. Every value that differs between sites comes from the environment."""

from pathlib import Path

from csp.constants import NONE, SELF

from audit import software
from twin_core.config.environment import (
    env_bool,
    env_database,
    env_number,
    env_optional_path,
    env_path,
    env_paths,
    env_secret,
    env_text,
    env_url,
)
from twin_core.config.queue import celery_address

BASE_DIR = Path(__file__).resolve().parents[2]
DEBUG = env_bool("TWIN_DEBUG", default=False)
SECRET_KEY = env_secret("TWIN_SECRET_KEY")  # no default: refuse to start without it
PUBLIC_URL = env_url("TWIN_PUBLIC_URL", default="http://localhost:8000")
ALLOWED_HOSTS = env_text("TWIN_ALLOWED_HOSTS", "localhost").split(",")
DATA_DIR = env_path("TWIN_DATA_DIR", BASE_DIR / "data")

DATABASES = {"default": env_database("TWIN_DATABASE_URL")}
DATABASES["default"]["CONN_HEALTH_CHECKS"] = True
DATABASES["default"]["OPTIONS"].setdefault(
    "connect_timeout", 3
)  # seconds; a frozen server says nothing
# Without a number psycopg prepares nothing at all; this one leaves it to those who ask for it.
DATABASES["default"]["OPTIONS"]["prepare_threshold"] = 1_000_000
if env_text("TWIN_PROCESS", "") == "web":  # each request has a thread of its own: they share a pool
    pool = {"min_size": 1, "max_size": int(env_number("TWIN_WEB_CONNECTIONS", default=12))}
    DATABASES["default"]["OPTIONS"]["pool"] = pool | {"timeout": 10}  # seconds for a free one
else:
    DATABASES["default"]["CONN_MAX_AGE"] = 60  # seconds
# The sealer's address, for the commands that close and drop months; a process of its own has none.
SEALER_DATABASE = env_database("TWIN_SEALER_DATABASE_URL", optional=True)
DATABASE_ANSWERS_WITHIN = env_number("TWIN_DATABASE_ANSWERS_WITHIN", default=10)  # s, a request
MLFLOW_DATABASE_URL = env_text("TWIN_MLFLOW_DATABASE_URL", "")  # empty: nothing is fed
REDIS_URL = env_text("TWIN_REDIS_URL", "redis://localhost:6379/0")
CELERY_BROKER_URL = celery_address(REDIS_URL)
CELERY_TASK_IGNORE_RESULT = True  # what a task did is a record
CELERY_TASK_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_TASK_DEFAULT_QUEUE = "twin"
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_TRANSPORT_OPTIONS = {"visibility_timeout": 600}  # seconds; the outbox sends again
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_TIMEZONE = "UTC"
WRITE_BACK_ENABLED = env_bool("TWIN_WRITE_BACK_ENABLED", default=False)

INSTALLED_APPS = [
    "audit",
    "models_registry",
    "twin_core",
    "validation",
    "django.contrib.contenttypes",
    "django.contrib.auth",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "csp",
    "rest_framework",
    "drf_spectacular",
]
INSTALLED_PROTOCOLS = [  # modules that define one `protocol` each
    "iq_oq_pq.iq.iq_platform",
    "iq_oq_pq.oq.oq_audit",
]
MIDDLEWARE = [
    "twin_core.config.deadline.AnswerInTime",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "twin_core.config.sessions.SessionLimits",
    "twin_core.config.acting.Acting",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "twin_core.config.errors.RefusalPages",
    "twin_core.config.sessions.SignInRequired",
]
ROOT_URLCONF = "twin_core.config.urls"
ASGI_APPLICATION = "twin_core.config.asgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "twin_core" / "web" / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "twin_core.web.shell.shell",
            ],
            "libraries": {"desk": "twin_core.web.templatetags.desk"},
        },
    },
]

AUTH_USER_MODEL = "audit.User"
AUTHENTICATION_BACKENDS = ["audit.auth_backend.PeopleBackend"]
PASSWORD_HASHERS = ["django.contrib.auth.hashers.Argon2PasswordHasher"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}", "OPTIONS": options}
    for name, options in (
        ("MinimumLengthValidator", {"min_length": 12}),
        ("CommonPasswordValidator", {}),
        (
            "UserAttributeSimilarityValidator",
            {"user_attributes": ("username", "printed_name", "email_shown")},
        ),
    )
]
LOGIN_URL = "/sign-in/"
CSRF_FAILURE_VIEW = "twin_core.config.errors.csrf_failure"
SESSION_ENGINE = "audit.session_store"
SESSION_IDLE = 15 * 60  # seconds; extended by a person's own requests alone, see config/sessions.py
SESSION_COOKIE_AGE = 12 * 3600  # seconds a session lasts at the longest
SESSION_EXPIRE_AT_BROWSER_CLOSE = True
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Strict"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = PUBLIC_URL.startswith("https://")  # http: localhost
CSRF_COOKIE_SAMESITE = "Strict"
CSRF_TRUSTED_ORIGINS = [PUBLIC_URL]
X_FRAME_OPTIONS = "DENY"
SECURE_REFERRER_POLICY = "same-origin"
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF],
        "font-src": [SELF],
        "connect-src": [SELF],
        "form-action": [SELF],
        "base-uri": [NONE],
        "frame-ancestors": [NONE],
    }
}

STATIC_URL = "/static/"
STATICFILES_DIRS = [BASE_DIR / "twin_core" / "web" / "static"]
WHITENOISE_USE_FINDERS = True  # the checkout is the installation: nothing to collect
WHITENOISE_AUTOREFRESH = False

LANGUAGE_CODE = "en-us"
USE_I18N = False
USE_TZ = True
TIME_ZONE = "UTC"  # stored and compared in UTC, shown in the zone of the site
SITE_TIME_ZONE = env_text("TWIN_SITE_TIME_ZONE", "Europe/Zurich")
SITE_NAME = env_text("TWIN_SITE_NAME", "Demonstration site")
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
TEST_RUNNER = "django.test.runner.DiscoverRunner"

CREDENTIAL_KEY_FILE = env_path("TWIN_CREDENTIAL_KEY_FILE", DATA_DIR / "keys" / "credential.key")
PERSONAL_KEY_FILE = env_path("TWIN_PERSONAL_KEY_FILE", DATA_DIR / "keys" / "personal.key")
ADVICE_VALID_H = env_number("TWIN_ADVICE_VALID_H", default=12)  # process hours to sign and write
ADVICE_QUIET_H = env_number("TWIN_ADVICE_QUIET_H", default=24)  # after a rejection, process hours
INSTALLED_TWINS = ["twin_core.equipment.bioreactor"]  # one line for each twin in use

# Paces of data and advice; a demo runs faster by these alone, never by another code path.
CERTIFICATES_DIR = env_path("TWIN_CERTIFICATES_DIR", DATA_DIR / "certificates")
CONNECTOR_EVERY_S = env_number("TWIN_CONNECTOR_EVERY_S", default=1)  # seconds between two looks
SEAL_SEGMENTS_S = env_number("TWIN_SEAL_SEGMENTS_S", default=30)  # seconds; at most 60
ESTIMATE_EVERY_H = env_number("TWIN_ESTIMATE_EVERY_H", default=6)  # process hours

LEDGER_ORIGIN = env_text("TWIN_LEDGER_ORIGIN", "localhost/ledger")
LEDGER_KEY_FILE = env_path("TWIN_LEDGER_KEY_FILE", DATA_DIR / "keys" / "ledger.key")
LEDGER_PUBLIC_KEY_FILE = env_path("TWIN_LEDGER_PUBLIC_KEY_FILE", DATA_DIR / "keys" / "ledger.pub")
DOCUMENT_KEY_FILE = env_path("TWIN_DOCUMENT_KEY_FILE", DATA_DIR / "keys" / "document.key")
DOCUMENT_CERTIFICATE_FILE = env_path(
    "TWIN_DOCUMENT_CERTIFICATE_FILE", DATA_DIR / "keys" / "document.pem"
)
EXPORT_DIR = env_path("TWIN_EXPORT_DIR", DATA_DIR / "exports")
EXPORT_KEEP_DAYS = env_number("TWIN_EXPORT_KEEP_DAYS", default=30)  # of finished export files
CHECKPOINT_DIR = env_path("TWIN_CHECKPOINT_DIR", DATA_DIR / "checkpoints")
WATCH_EVERY_S = env_number("TWIN_WATCH_EVERY_S", default=30)  # seconds between looks at the guards
WITNESSES_FILE = env_path("TWIN_WITNESSES", DATA_DIR / "witnesses.txt")  # no file: none is asked
CHECKPOINT_FOLDERS = env_paths("TWIN_CHECKPOINT_FOLDERS")  # further ones, on other machines' disks
CHECKPOINT_HOOK = env_optional_path("TWIN_CHECKPOINT_HOOK")  # a program that takes checkpoints
CHECKPOINT_HOOK_EVERY_S = env_number("TWIN_CHECKPOINT_HOOK_EVERY_S", default=60)  # seconds, most
TIMESTAMP_URL = env_text("TWIN_TIMESTAMP_URL", "")  # RFC 3161 authority; empty: none is asked
TIMESTAMP_ROOTS = env_optional_path("TWIN_TIMESTAMP_ROOTS")  # PEM: certificates it is held to
LEDGER_SECOND_KEY_FILE = env_optional_path("TWIN_LEDGER_SECOND_KEY_FILE")  # ML-DSA-44, PEM
TILES_ARE_PUBLIC = env_bool("TWIN_TILES_ARE_PUBLIC", default=False)  # hashes only, never records
LEDGER_READERS_FILE = env_optional_path("TWIN_LEDGER_READERS")  # tokens that may read records
CLOCK_LIMIT_S = env_number("TWIN_CLOCK_LIMIT_S", default=1)  # doubt of the time that stops signing
TIME_SOURCE_REQUIRED = env_bool("TWIN_TIME_SOURCE_REQUIRED", default=False)  # to sign at all
BACKUP_DIR = env_path("TWIN_BACKUP_DIR") if env_text("TWIN_BACKUP_DIR", "") else None  # or nothing
BACKUP_RECIPIENT = env_text("TWIN_BACKUP_RECIPIENT", "")  # age1...: whom backups are encrypted to
SEAL_INTERVAL = env_number("TWIN_SEAL_INTERVAL", default=0.05)  # seconds between looks for records

REST_FRAMEWORK = {
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["twin_core.rest.parsers.StrictJSON"],
    "DEFAULT_AUTHENTICATION_CLASSES": ["twin_core.rest.authentication.Session"],
    "DEFAULT_PERMISSION_CLASSES": ["twin_core.rest.permissions.HoldsARole"],
    "DEFAULT_PAGINATION_CLASS": "twin_core.rest.pagination.ByKey",
    "EXCEPTION_HANDLER": "twin_core.config.errors.problem",
    "UNAUTHENTICATED_USER": "django.contrib.auth.models.AnonymousUser",
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Pharma Digital Twin",
    "DESCRIPTION": "The acts of the pages, with the same rules and records.",
    "VERSION": software.version(),
    "SERVE_PERMISSIONS": ["twin_core.rest.permissions.HoldsARole"],
    "SERVE_INCLUDE_SCHEMA": False,
    "COMPONENT_SPLIT_REQUEST": True,
}
