"""Configure Django for Turkle as its documentation does, with PostgreSQL and without debugging."""

from __future__ import annotations

import os

SECRET_KEY = os.environ["TURKLE_SECRET"]
DEBUG = False
ALLOWED_HOSTS = ["127.0.0.1"]
ROOT_URLCONF = "turkle_site.urls"
INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "guardian",
    "rest_framework",
    "rest_framework.authtoken",
    "turkle.apps.TurkleAppConfig",
    "djaa_list_filter2",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": "postgres",
        "USER": "turkle",
        "HOST": os.environ["TURKLE_SOCKET"],
        "CONN_MAX_AGE": 600,  # a connection is kept, as Django advises for PostgreSQL
    }
}
AUTHENTICATION_BACKENDS = [
    "django.contrib.auth.backends.ModelBackend",
    "guardian.backends.ObjectPermissionBackend",
]
DEFAULT_AUTO_FIELD = "django.db.models.AutoField"
STATIC_URL = "/static/"
USE_TZ = True
X_FRAME_OPTIONS = "SAMEORIGIN"  # its pages show the task in a frame of theirs

TURKLE_SITE_NAME = "Turkle"
TURKLE_EXPIRE_ABANDONED = False
TURKLE_ALLOW_ANONYMOUS_TASKS = False
TURKLE_AUTO_ACCEPT_DEFAULT = False
TURKLE_TEMPLATE_LIMIT = 64
TURKLE_ID_FIELD_NAMES = ["HITId", "AssignmentId"]
