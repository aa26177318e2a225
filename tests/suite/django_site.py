"""A Django site: set up, migrate an in-memory database, and answer a few requests. usage: django_site.py RESULT"""

import json
import os
import sys

import django
from django.conf import settings
from django.core.management import call_command
from django.http import HttpResponse, JsonResponse
from django.test.utils import setup_test_environment
from django.urls import include, path

settings.configure(
    SECRET_KEY="x" * 50,
    ALLOWED_HOSTS=["*"],
    ROOT_URLCONF="__main__",
    USE_TZ=True,
    STATIC_URL="/static/",
    DEFAULT_AUTO_FIELD="django.db.models.AutoField",
    PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"],
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
    INSTALLED_APPS=["django.contrib." + app for app in "admin auth contenttypes sessions messages staticfiles".split()],
    MIDDLEWARE=[
        "django.middleware.security.SecurityMiddleware",
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.middleware.common.CommonMiddleware",
        "django.middleware.csrf.CsrfViewMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
        "django.contrib.messages.middleware.MessageMiddleware",
    ],
    TEMPLATES=[{
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {"context_processors": [
            "django.template.context_processors.request",
            "django.contrib.auth.context_processors.auth",
            "django.contrib.messages.context_processors.messages",
        ]},
    }],
)
django.setup()

from django.contrib import admin  # noqa: E402 (needs the settings)
from django.contrib.auth.models import User  # noqa: E402
from django.test import Client  # noqa: E402


def hello(request, name):
    if name == "nobody":
        return HttpResponse(status=404)
    return JsonResponse({"hello": name, "users": [u.username for u in User.objects.all()]})


def never(request):
    return HttpResponse("never asked for")


urlpatterns = [
    path("admin/", admin.site.urls),
    path("accounts/", include("django.contrib.auth.urls")),
    path("hello/<str:name>/", hello),
    path("never/", never),
]


def main():
    out = os.path.abspath(sys.argv[1])
    setup_test_environment()
    call_command("migrate", verbosity=0)
    User.objects.create_superuser("root", "root@example.com", "secret")
    client = Client()
    answers = [client.get("/hello/%s/" % name).status_code for name in ("you", "nobody")]
    answers.append(client.get("/admin/").status_code)
    client.login(username="root", password="secret")
    for page in "", "auth/user/", "auth/user/add/", "auth/user/1/change/", "auth/group/?q=x", "nothing/":
        answers.append(client.get("/admin/" + page).status_code)
    answers.append(client.post("/admin/auth/group/add/", {"name": "g"}).status_code)
    with open(out, "w") as f:
        for i, answer in enumerate(answers):
            print(json.dumps(["request %d" % i, answer, ""]), file=f)


main()
