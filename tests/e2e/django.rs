//! A Django project, installed by pip, whose settings name a namespace.

use hozo_tests::{Ran, Run, Running, Scratch, python_environment};

use crate::case::{Case, Need};

const PYTHON: &[Need] = &[Need::Program("python3")];

pub(crate) const CASES: &[Case] =
    &[Case::new("a_project_lives_on_a_namespace", project).needing(PYTHON)];

const SETTINGS: &str = "
import os
DATABASES['default']['NAME'] = os.environ.get('APP_DB', 'app')
INSTALLED_APPS += ['library']
ALLOWED_HOSTS = ['127.0.0.1', 'testserver']
";

const MODELS: &str = "
from django.db import models

class Book(models.Model):
    title = models.CharField(max_length=200, unique=True)
    price = models.DecimalField(max_digits=6, decimal_places=2)

    def __str__(self):
        return self.title
";

const ADMIN: &str = "
from django.contrib import admin
from library.models import Book
admin.site.register(Book)
";

const TESTS: &str = "
from django.test import TestCase
from library.models import Book

class BookTest(TestCase):
    def test_create(self):
        Book.objects.create(title='Test', price=1)
        self.assertEqual(Book.objects.count(), 1)
";

/// Logs in to the admin as a browser does, over HTTP, and adds a book there.
const BROWSE: &str = "
import http.cookiejar, re, sys, urllib.parse, urllib.request
base, title = sys.argv[1:]
browser = urllib.request.build_opener(
    urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar()))
def post(path, **fields):
    page = browser.open(base + path).read().decode()
    fields['csrfmiddlewaretoken'] = re.search('csrfmiddlewaretoken\" value=\"([^\"]+)', page)[1]
    data = urllib.parse.urlencode(fields).encode()
    request = urllib.request.Request(base + path, data, {'Referer': base + path})
    return browser.open(request).read().decode()
page = post('/admin/login/?next=/admin/', username='admin', password='mortise')
print('Site administration' in page)
page = post('/admin/library/book/add/', title=title, price='12.50')
print('was added successfully' in page, title in page)
";

struct Project {
    scratch: Scratch,
}

impl Project {
    fn new() -> Project {
        let scratch = Scratch::with_namespace("app");
        let project = Project { scratch };
        project.python(&["-m", "django", "startproject", "site_", "."]).ok();
        project.python(&["manage.py", "startapp", "library"]).ok();
        let settings = project.scratch.read("site_/settings.py");
        project.scratch.write("site_/settings.py", &format!("{settings}{SETTINGS}"));
        project.scratch.write("library/models.py", MODELS);
        project.scratch.write("library/admin.py", ADMIN);
        project.scratch.write("library/tests.py", TESTS);
        project.scratch.write("browse.py", BROWSE);
        project
    }

    fn python(&self, args: &[&str]) -> Run {
        let run = self.scratch.preloaded(python_environment()).args(args);
        run.env("PYTHONUNBUFFERED", "1").env("DJANGO_SUPERUSER_PASSWORD", "mortise")
    }

    fn manage(&self, args: &[&str]) -> Run {
        self.python(&["manage.py"]).args(args)
    }

    fn shell(&self, code: &str) -> Run {
        let code = format!("from library.models import Book\n{code}");
        self.manage(&["shell", "--no-imports", "-c", &code])
    }

    /// Starts the development server and gives its address.
    fn serve(&self) -> (Running, String) {
        let mut server = self.manage(&["runserver", "--noreload", "127.0.0.1:0"]).start();
        let line = server.wait_for("Starting development server at ");
        let address = line.split_whitespace().last().expect("an address").trim_end_matches('/');
        (server, address.to_owned())
    }

    fn browse(&self, address: &str, title: &str) -> Ran {
        // A browser is no SQLite program: it runs without the preload library.
        self.scratch.run(python_environment()).args(["browse.py", address, title]).run()
    }
}

const TITLES: &str = "print(sorted(Book.objects.values_list('title', 'price')))";

fn project() {
    let project = Project::new();
    project.manage(&["makemigrations", "library"]).ok();
    project.manage(&["migrate"]).ok();
    project.manage(&["check", "--database", "default"]).ok();
    assert!(!project.scratch.path("app").exists(), "the database must not be a file");
    project
        .manage(&["createsuperuser", "--noinput", "--username", "admin", "--email", "a@b.example"])
        .ok();

    let create = "Book.objects.create(title='Joints', price='20.00')\n";
    let said = project.shell(&format!("{create}{TITLES}")).ok();
    assert_eq!(said, "[('Joints', Decimal('20.00'))]\n");
    let before = project.scratch.log("app")[0]["version"].as_str().expect("a version").to_owned();
    project.shell("Book.objects.update(price='25.00')").ok();

    let client = "
from django.test import Client
client = Client()
answer = client.post('/admin/login/?next=/admin/', {'username': 'admin', 'password': 'mortise'})
print(answer.status_code, answer.headers['Location'], client.get('/admin/').status_code)
";
    assert_eq!(project.shell(client).ok(), "302 /admin/ 200\n");
    project.manage(&["test"]).run().ok();

    for title in ["Tenon", "Mortise"] {
        let (server, address) = project.serve();
        assert_eq!(project.browse(&address, title).ok(), "True\nTrue True\n");
        // Without a word of warning, as when the power goes: what the browser
        // was told is stored.
        drop(server.kill());
    }

    let now = project.shell(TITLES).ok();
    assert_eq!(
        now,
        "[('Joints', Decimal('25.00')), ('Mortise', Decimal('12.50')), \
         ('Tenon', Decimal('12.50'))]\n"
    );
    let then = project.shell(TITLES).env("APP_DB", format!("app@{before}")).ok();
    assert_eq!(then, "[('Joints', Decimal('20.00'))]\n");
    let refused = project.shell(create).env("APP_DB", format!("app@{before}")).run();
    refused.fails(&["readonly database"]);
    assert_eq!(project.shell(TITLES).ok(), now);
}
