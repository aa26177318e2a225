/*
 * Two Python runtimes in one process, each in a scope of its own: two_pythons LIBRARY HOME SCRIPT LIBRARY HOME SCRIPT.
 * Both are alive at once; the first one's script runs before and after the second one's.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

struct python {
	void *lib;
	wchar_t home[4096];
	void *(*save)(void);
	void (*restore)(void *);
	void *(*compile)(const char *, const char *, int);
	void *(*eval)(void *, void *, void *);
	void *(*import)(const char *);
	void *(*dict)(void *);
	void *thread;
};

static void *find(struct python *p, const char *name)
{
	void *f = dlsym(p->lib, name);

	if (!f) {
		fprintf(stderr, "%s\n", dlerror());
		exit(2);
	}
	return f;
}

static void start(struct python *p, const char *library, const char *home)
{
	p->lib = dlopen(library, RTLD_NOW | RTLD_LOCAL);
	if (!p->lib) {
		fprintf(stderr, "%s\n", dlerror());
		exit(2);
	}
	mbstowcs(p->home, home, 4095);
	*(int *)find(p, "Py_NoSiteFlag") = 1;
	((void (*)(const wchar_t *))find(p, "Py_SetPythonHome"))(p->home);
	((void (*)(int))find(p, "Py_InitializeEx"))(0);
	p->save = find(p, "PyEval_SaveThread");
	p->restore = find(p, "PyEval_RestoreThread");
	p->compile = find(p, "Py_CompileString");
	p->eval = find(p, "PyEval_EvalCode");
	p->import = find(p, "PyImport_AddModule");
	p->dict = find(p, "PyModule_GetDict");
	p->thread = p->save();
}

static void run(struct python *p, const char *path)
{
	static char text[65536];
	FILE *file = fopen(path, "r");
	void *code, *globals;

	text[fread(text, 1, sizeof(text) - 1, file)] = 0;
	fclose(file);
	p->restore(p->thread);
	globals = p->dict(p->import("__main__"));
	code = p->compile(text, path, 257);
	if (!code || !p->eval(code, globals, globals)) {
		((void (*)(void))find(p, "PyErr_Print"))();
		exit(4);
	}
	p->thread = p->save();
}

int main(int argc, char **argv)
{
	static struct python first, second;

	if (argc != 7)
		return 2;
	start(&first, argv[1], argv[2]);
	run(&first, argv[3]);
	start(&second, argv[4], argv[5]);
	run(&second, argv[6]);
	run(&first, argv[3]);
	run(&second, argv[6]);
	first.restore(first.thread);
	((int (*)(void))find(&first, "Py_FinalizeEx"))();
	puts("both");
	return 3;
}
