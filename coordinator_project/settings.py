"""Every setting, read from the environment once at start."""

from datetime import timedelta

from coordinator_project import databases, env, logs

BASE_DIR = env.BASE_DIR
COORDINATOR_DATA_DIR = env.data_dir()
DEBUG = env.flag("COORDINATOR_DEBUG")
SECRET_KEY = env.secret("SECRET_KEY", least=env.SECRET_KEY_LEAST) or env.secret_key(
    COORDINATOR_DATA_DIR
)

# Addresses and host names.

COORDINATOR_HOST = env.text("COORDINATOR_HOST", default="127.0.0.1")
COORDINATOR_PORT = env.number(
    "COORDINATOR_PORT", "ORHESTRA_PORT", "PORT", default=8080, least=0, most=65_535
)
COORDINATOR_PROCESSES = env.processes()
EVERY_ADDRESS = {"0.0.0.0", "::"}  # noqa: S104
EXTRA_HOSTS = env.words("COORDINATOR_ALLOWED_HOSTS")
OWN_HOST = f"[{COORDINATOR_HOST}]" if ":" in COORDINATOR_HOST else COORDINATOR_HOST
ALLOWED_HOSTS = ["localhost", "127.0.0.1", "[::1]", *EXTRA_HOSTS]
if COORDINATOR_HOST not in EVERY_ADDRESS:
    ALLOWED_HOSTS.append(OWN_HOST)

# Other sites, whose scripts get no answers unless they are named.

CORS_ALLOWED_ORIGINS = env.origins("COORDINATOR_CORS_ORIGINS")
CORS_ALLOW_HEADERS = [
    *("accept", "authorization", "content-type", "last-event-id"),
    *("if-none-match", "if-range", "range", "x-content-sha256"),
    *("apikey", "x-api-key", "x-orhestra-key", "x-request-id", "x-trace-id"),
]
CORS_EXPOSE_HEADERS = [
    *("allow", "ratelimit-limit", "ratelimit-remaining", "ratelimit-reset"),
    *("content-disposition", "content-range", "etag"),
    *("retry-after", "x-next-cursor", "x-request-id", "x-trace-id"),
]

# The coordinator's own rules.

COORDINATOR_AUTH_TOKEN = env.secret("COORDINATOR_AUTH_TOKEN", least=env.TOKEN_LEAST)
DEFAULT_USER_ID = env.identifier("DEFAULT_USER_ID")
REGISTRATION = env.choice(
    "COORDINATOR_REGISTRATION", default="no", among=("no", "user", "viewer", "operator")
)
AGENT_ONLINE_WITHIN = timedelta(seconds=30)
GRACE = env.seconds("COORDINATOR_GRACE_SECONDS", default=30, least=1)
AGENT_LOST_AFTER = env.seconds("COORDINATOR_AGENT_LOST_SECONDS", default=900, least=1)
SPOT_LOST_AFTER = env.seconds("COORDINATOR_SPOT_LOST_SECONDS", default=10, least=1)
ORHESTRA_AGENT_KEY = env.secret("ORHESTRA_AGENT_KEY", least=env.TOKEN_LEAST)
TASK_TIMEOUT = env.seconds("ORHESTRA_TASK_TIMEOUT_SECONDS", default=300, least=1)
REAP_TASKS_EVERY = env.seconds("COORDINATOR_TASK_REAPER_SECONDS", default=3, least=1)
REAP_AGENTS_EVERY = env.seconds("COORDINATOR_AGENT_REAPER_SECONDS", default=5, least=1)
LONG_WAIT = env.seconds("COORDINATOR_LONG_WAIT_SECONDS", default=3_600, least=1)
STALLED_JOB = env.seconds("COORDINATOR_STALLED_JOB_SECONDS", default=900, least=1)
MAX_JOB_TASKS = env.number("COORDINATOR_MAX_JOB_TASKS", default=100_000, least=1, most=10_000_000)
MAX_ATTEMPTS = env.number("ORHESTRA_MAX_ATTEMPTS", default=3, least=1, most=1_000)
MAX_LOSSES = env.number("COORDINATOR_MAX_LOSSES", default=3, least=1, most=1_000)
CLAIM_KEYS_KEPT = env.hours("COORDINATOR_CLAIM_KEY_HOURS", default=24, least=1)
EVENT_RETENTION = env.days("COORDINATOR_EVENT_RETENTION_DAYS", default=30)
AGENT_RETENTION = env.days("COORDINATOR_AGENT_RETENTION_DAYS", default=30)
RETENTION_INTERVAL = env.hours("COORDINATOR_RETENTION_INTERVAL_HOURS", default=24, least=1)
DEFAULT_QUEUE_NAME = env.text("DEFAULT_QUEUE_NAME", default="reactorcide-jobs")
DEFAULT_TIMEOUT = env.number("DEFAULT_TIMEOUT", default=3600, least=1, most=604_800)
DEFAULT_RUNNER_IMAGE = env.text("DEFAULT_RUNNER_IMAGE", default="")
CANCEL_GRACE = env.seconds("CANCEL_GRACE_SECONDS", default=60)
IMAGE_WAIT = env.minutes("COORDINATOR_IMAGE_WAIT_MINUTES", default=60, least=1)
CORNDOGS = env.corndogs("CORNDOGS_BASE_URL")
CORNDOGS_API_KEY = env.header("CORNDOGS_API_KEY")
ENCRYPTION_KEYS = env.encryption_keys("COORDINATOR_ENCRYPTION_KEYS")
KEY_VAULT_MODE = env.vault_mode("KEY_VAULT_MODE", keys=ENCRYPTION_KEYS)
SIGNING_KEYS = env.signing_keys("COORDINATOR_SIGNING_KEYS")
SIGNED_URL_LASTS = env.seconds(
    "COORDINATOR_SIGNED_URL_SECONDS", default=3600, least=60, most=86_400
)
FUNCTION_DAILY_QUOTA = env.number("COORDINATOR_FUNCTION_DAILY_QUOTA", default=0, most=10**9)
TRACES = env.traces("COORDINATOR_TRACES")
MAX_STREAMS = env.number("COORDINATOR_MAX_STREAMS", default=1_000, least=1)
MAX_STREAMS_OF_ONE = env.number("COORDINATOR_MAX_STREAMS_OF_ONE", default=100, least=1)
MIB = 1024 * 1024
MAX_BODY_BYTES = MIB
MAX_PAYLOAD_BYTES = 256 * 1024

# Logs and files of tasks.

OBJECT_STORE = env.object_store(COORDINATOR_DATA_DIR)
LOG_MAX_BYTES = env.number("COORDINATOR_LOG_MAX_BYTES", default=256 * MIB, least=1, most=2**40)
LOG_RETENTION = env.days("COORDINATOR_LOG_RETENTION_DAYS", default=0)
ARTIFACT_MAX_BYTES = env.number(
    "COORDINATOR_ARTIFACT_MAX_BYTES", default=2048 * MIB, least=1, most=2**40
)
ARTIFACTS_MAX_BYTES = env.number(
    "COORDINATOR_ARTIFACTS_MAX_BYTES", default=8192 * MIB, least=1, most=2**50
)
ARTIFACTS_MAX_COUNT = env.number(
    "COORDINATOR_ARTIFACTS_MAX_COUNT", default=1_000, least=1, most=10_000
)
ARTIFACT_RETENTION = env.days("COORDINATOR_ARTIFACT_RETENTION_DAYS", default=0)

# Calls of language models.

ROUTER_SCORE_V2 = env.flag("ROUTER_SCORE_V2", default=True)
HEALTH_TTL = env.minutes("HEALTH_TTL_MIN", default=1_440, least=1)
LLM_ANSWER_WITHIN = env.seconds("COORDINATOR_LLM_ANSWER_SECONDS", default=60, least=1, most=3_600)
LLM_CALL_WITHIN = env.seconds("COORDINATOR_LLM_CALL_SECONDS", default=120, least=1, most=7_200)
SNAPSHOT_RETENTION = env.days("COORDINATOR_SNAPSHOT_RETENTION_DAYS", default=14)
USAGE_RETENTION = env.days("COORDINATOR_USAGE_RETENTION_DAYS", default=400)
# Search.

SEARCH_ROOTS = env.search_roots("COORDINATOR_SEARCH_ROOTS")
SEARCH_EMBEDDER = env.choice(
    "COORDINATOR_SEARCH_EMBEDDER", default="hashing", among=("hashing", "http", "none")
)
SEARCH_TASKS = env.number("COORDINATOR_SEARCH_TASKS", default=50_000, most=1_000_000)
HYBRID_ALPHA = env.share("HYBRID_ALPHA", default=0.7)
EMBEDDINGS_URL = env.embeddings_url("COORDINATOR_EMBEDDINGS_URL", SEARCH_EMBEDDER)
EMBEDDINGS_KEY = env.header("COORDINATOR_EMBEDDINGS_KEY")
EMBEDDINGS_MODEL = env.text("COORDINATOR_EMBEDDINGS_MODEL", default="bge-m3")
EMBEDDINGS_DIMENSIONS = env.number(
    "COORDINATOR_EMBEDDINGS_DIMENSIONS", default=1024, least=1, most=4_000
)

# What is carried out: mail, and links in messages.

PUBLIC_URL = env.public_url("COORDINATOR_PUBLIC_URL")
EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
EMAIL_HOST, EMAIL_PORT, EMAIL_HOST_USER, EMAIL_HOST_PASSWORD, _TLS = env.mail_server(
    "COORDINATOR_MAIL_URL"
)
EMAIL_USE_SSL, EMAIL_USE_TLS = _TLS == "smtps", _TLS == "starttls"
EMAIL_TIMEOUT = 10
DEFAULT_FROM_EMAIL = env.text("COORDINATOR_MAIL_FROM", default="coordinator@localhost")

# The database. Without a URL, manage.py starts the embedded PostgreSQL.

DATABASES = {"default": databases.settings_for(*env.database_url())}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# Django.

AUTH_USER_MODEL = "accounts.User"
INSTALLED_APPS = [
    "coordinator_project.apps.RunserverConfig",  # first: it replaces the command `runserver`
    "coordinator_project",
    "notifications",
    "dashboard",
    "routing",
    "vault",
    "search",
    "metrics",
    "spots",
    "collab",
    "jobs",
    "chains",
    "artifacts",
    "tasks",
    "agents",
    "console",
    "events",
    "accounts",
    "unfold.apps.BasicAppConfig",  # before the admin, whose templates it replaces
    "unfold.contrib.filters",
    "console.apps.AdminSiteConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.postgres",
    "axes",
    *(["corsheaders"] if CORS_ALLOWED_ORIGINS else []),
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "django_filters",
    "pgtrigger",
]
MIDDLEWARE = [
    "coordinator_project.requests.identify_and_log",
    *(["coordinator_project.traces.trace_requests"] if TRACES else []),
    *(["corsheaders.middleware.CorsMiddleware"] if CORS_ALLOWED_ORIGINS else []),
    "accounts.headers.send_policies",
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "accounts.timezones.in_zone_of_reader",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "accounts.protected.ProtectedModeMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
ROOT_URLCONF = "coordinator_project.urls"
WSGI_APPLICATION = "coordinator_project.wsgi.application"
ASGI_APPLICATION = "coordinator_project.asgi.application"
APPEND_SLASH = False
CSRF_FAILURE_VIEW = "problems.views.csrf_failed"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]
PASSWORD_HASHERS = ["accounts.hashers.PatientPBKDF2Hasher"]
AUTHENTICATION_BACKENDS = [
    "axes.backends.AxesStandaloneBackend",  # first: it refuses before a password is checked
    "django.contrib.auth.backends.ModelBackend",
]
AXES_FAILURE_LIMIT = env.number("COORDINATOR_SIGN_IN_FAILURES", default=10, least=0, most=10_000)
AXES_ENABLED = AXES_FAILURE_LIMIT > 0
AXES_COOLOFF_TIME = env.minutes("COORDINATOR_SIGN_IN_PAUSE_MINUTES", default=15, least=1)
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_RESET_ON_SUCCESS = True
AXES_RESET_COOL_OFF_ON_FAILURE_DURING_LOCKOUT = False
AXES_DISABLE_ACCESS_LOG = True
AXES_ENABLE_ADMIN = False
AXES_SENSITIVE_PARAMETERS = ["username", "csrfmiddlewaretoken"]
AXES_USERNAME_CALLABLE = "accounts.sign_in.name_in"
AXES_CLIENT_IP_CALLABLE = "accounts.sign_in.address_of"
AXES_CLIENT_STR_CALLABLE = "accounts.sign_in.line_for"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator"},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]
# Only people who have signed in get messages; the usual storage signs for every request.
MESSAGE_STORAGE = "django.contrib.messages.storage.session.SessionStorage"
REST_FRAMEWORK = {
    "DEFAULT_PARSER_CLASSES": ["api.parsers.StrictJSONParser"],
    "DEFAULT_RENDERER_CLASSES": ["api.renderers.ORJSONRenderer"],
    "DEFAULT_CONTENT_NEGOTIATION_CLASS": "api.negotiation.OneOfEach",
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "accounts.authentication.TokenAuthentication",
        "tasks.lease_tokens.LeaseAuthentication",
        "accounts.authentication.SessionAuthentication",
        "accounts.authentication.LoopbackAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["accounts.permissions.ReadOrOperate"],
    "DEFAULT_FILTER_BACKENDS": [
        "api.filters.IndexedFilterBackend",
        "accounts.filters.OwnRowsFilterBackend",
    ],
    "DEFAULT_PAGINATION_CLASS": "api.pagination.KeysetPagination",
    "DEFAULT_METADATA_CLASS": None,
    "DEFAULT_THROTTLE_CLASSES": ["api.throttling.BucketThrottle"],
    "DEFAULT_THROTTLE_RATES": {
        "claim": env.rate("COORDINATOR_RATE_CLAIM", default="10000/s"),
        "report": env.rate("COORDINATOR_RATE_REPORT", default="10000/s"),
        "heartbeat": env.rate("COORDINATOR_RATE_HEARTBEAT", default="10000/s"),
        "change": env.rate("COORDINATOR_RATE_CHANGE", default="5000/s"),
        "read": env.rate("COORDINATOR_RATE_READ", default="5000/s"),
        "function_read": env.rate("COORDINATOR_RATE_FUNCTION_READ", default="600/m"),
        "function_sign": env.rate("COORDINATOR_RATE_FUNCTION_SIGN", default="300/m"),
        "function_ops": env.rate("COORDINATOR_RATE_FUNCTION_OPS", default="60/m"),
        "function_keys": env.rate("COORDINATOR_RATE_FUNCTION_KEYS", default="300/m"),
        "anonymous": env.rate("COORDINATOR_RATE_ANONYMOUS", default="3000/m"),
        "sign_in": env.rate("COORDINATOR_RATE_SIGN_IN", default="60/m"),
    },
    "NUM_PROXIES": env.number("COORDINATOR_PROXIES", default=0, most=10),
    "EXCEPTION_HANDLER": "api.throttling.exception_handler",
    "DEFAULT_SCHEMA_CLASS": "api.schema.Schema31",
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Coordinator",
    "DESCRIPTION": "Hands work to a fleet of agents, and shows and steers it for people.",
    "VERSION": "1",
    "OAS_VERSION": "3.1.0",
    "TAGS": [
        {"name": "agents", "description": "For agents, and for people and programs that steer."},
        {"name": "jobs", "description": "Sweeps and their results."},
        {"name": "spots", "description": "The protocol of SPOTs."},
        {"name": "collab", "description": "Collaborating workers and their jobs with leases."},
        {
            "name": "functions",
            "description": "Each for tokens of a scope; and signed URLs.",
        },
        {"name": "console", "description": "What the dashboard reads; it may change any time."},
        {"name": "auth", "description": "Users who sign in, for themselves or for an agent."},
        {"name": "tokens", "description": "Tokens of users and of agents."},
        {"name": "metrics", "description": "What monitoring reads: Prometheus' text, summaries."},
        {"name": "search", "description": "Documents, code, and what tasks say and leave."},
        {"name": "health", "description": "Whether all is well."},
    ],
    "PREPROCESSING_HOOKS": ["coordinator_project.openapi.of_families"],
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enum_id_removal",
        "coordinator_project.openapi.with_examples",
    ],
    "GET_LIB_DOC_EXCLUDES": "api.schema.undocumented",
    "COMPONENT_SPLIT_PATCH": False,
    "ENUM_GENERATE_CHOICE_DESCRIPTION": False,
    "PATH_CONVERTER_OVERRIDES": {"name": {"type": "string", "minLength": 1}},
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_PERMISSIONS": ["accounts.permissions.ReadOrOperate"],
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "REDOC_DIST": "SIDECAR",
}
DATA_UPLOAD_MAX_MEMORY_SIZE = MAX_BODY_BYTES
LOGIN_URL = "/login"
LOGIN_REDIRECT_URL = "/"
LOGOUT_REDIRECT_URL = "/login"
LANGUAGE_CODE = "en"
LANGUAGES = [("en", "English"), ("ko", "한국어"), ("ru", "Русский")]
UNFOLD = {
    "SITE_TITLE": "Coordinator",
    "SITE_HEADER": "Coordinator",
    "SITE_ICON": "/static/dashboard/icon.svg",
    "SITE_FAVICONS": [
        {"rel": "icon", "type": "image/svg+xml", "href": "/static/dashboard/icon.svg"},
    ],
    "SITE_URL": "",
    "STYLES": ["/static/console/tokens.css", "/static/console/theme.css"],
    "SCRIPTS": [
        "/static/console/policy.js",
        "/static/console/theme.js",
        "/static/console/zone.js",
        "/static/console/copy.js",
        "/static/console/once.js",
    ],
    "ACCOUNT": {"navigation": "accounts.links.account"},
    "SHOW_LANGUAGES": True,
    "SHOW_HISTORY": False,
    "SIDEBAR": {"navigation": "console.sidebar.navigation"},
    "DASHBOARD_CALLBACK": "coordinator_project.home.home",
}
FORMAT_MODULE_PATH = "coordinator_project.formats"
USE_TZ = True
TIME_ZONE = "UTC"
STATIC_URL = "static/"

# HTTPS: `COORDINATOR_HTTPS=yes` behind a proxy that ends TLS and sets X-Forwarded-Proto.

COORDINATOR_HTTPS = env.flag("COORDINATOR_HTTPS")
SECURE_SSL_REDIRECT = COORDINATOR_HTTPS
SECURE_REDIRECT_EXEMPT = [r"^(health|livez|readyz)$", r"^api(/v1)?/health/?$"]
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if COORDINATOR_HTTPS else None
SECURE_HSTS_SECONDS = int(timedelta(days=365).total_seconds()) if COORDINATOR_HTTPS else 0
SESSION_COOKIE_SECURE = COORDINATOR_HTTPS
CSRF_COOKIE_SECURE = COORDINATOR_HTTPS
SILENCED_SYSTEM_CHECKS = [
    "security.W005",  # the domain's other hosts are not ours
    "security.W021",  # nor is the preload list of browsers
    "axes.W002",  # the page to sign in says itself that a person has to wait
    *(
        []
        if COORDINATOR_HTTPS
        # The default is plain HTTP on loopback; COORDINATOR_HTTPS turns these four on.
        else ["security.W004", "security.W008", "security.W012", "security.W016"]
    ),
]

# Logs.

LOGGING = logs.configuration(
    env.choice("COORDINATOR_LOG_LEVEL", default="INFO", among=("DEBUG", "INFO", "WARNING", "ERROR"))
)
