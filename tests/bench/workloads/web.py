"""Import-heavy: sets Django up with its admin, migrates a database in memory, and serves a few requests."""
import json

import django
from django.conf import settings

settings.configure(
    SECRET_KEY="benchmark",
    ALLOWED_HOSTS=["*"],
    ROOT_URLCONF=__name__,
    DEFAULT_AUTO_FIELD="django.db.models.AutoField",
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
    PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"],
    INSTALLED_APPS=["django.contrib." + name for name in
                    ("admin", "auth", "contenttypes", "sessions", "messages", "staticfiles")],
    MIDDLEWARE=["django.middleware.security.SecurityMiddleware",
                "django.contrib.sessions.middleware.SessionMiddleware",
                "django.middleware.common.CommonMiddleware",
                "django.middleware.csrf.CsrfViewMiddleware",
                "django.contrib.auth.middleware.AuthenticationMiddleware",
                "django.contrib.messages.middleware.MessageMiddleware"],
    STATIC_URL="/static/",
    TEMPLATES=[{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True,
                "OPTIONS": {"context_processors": ["django.template.context_processors.request",
                                                   "django.contrib.auth.context_processors.auth",
                                                   "django.contrib.messages.context_processors.messages"]}}],
)
django.setup()

from django.contrib import admin  # noqa: E402
from django.contrib.auth import get_user_model  # noqa: E402
from django.core.management import call_command  # noqa: E402
from django.http import JsonResponse  # noqa: E402
from django.test import Client  # noqa: E402
from django.urls import path  # noqa: E402


def hello(request, name):
    return JsonResponse({"hello": name, "users": get_user_model().objects.count()})


urlpatterns = [path("admin/", admin.site.urls), path("hello/<str:name>/", hello)]


def expect(status, response):
    if response.status_code != status:
        raise SystemExit("expected %d: %r" % (status, response))


def main():
    call_command("migrate", verbosity=0)
    get_user_model().objects.create_superuser("admin", "admin@example.org", "secret")
    client = Client()
    expect(302, client.get("/admin/"))
    expect(200, client.get("/admin/login/"))
    expect(302, client.post("/admin/login/?next=/admin/", {"username": "admin", "password": "secret"}))
    for url in ("/admin/", "/admin/auth/user/", "/admin/auth/user/add/", "/admin/auth/user/1/change/",
                "/admin/auth/group/add/", "/hello/world/"):
        expect(200, client.get(url))
    expect(302, client.post("/admin/auth/group/add/", {"name": "readers"}))
    expect(404, client.get("/nowhere/"))


def memory():
    with open("/proc/self/status") as status:
        fields = dict(line.split(":", 1) for line in status if line.startswith(("VmRSS", "RssAnon", "RssShmem")))
    return {name: int(value.split()[0]) for name, value in fields.items()}


main()
usage = memory()
print(json.dumps({"rss": usage["VmRSS"], "own": usage["RssAnon"] + usage["RssShmem"]}))
