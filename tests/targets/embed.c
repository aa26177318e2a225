/*
 * A program that embeds Python: embed LIBRARY|- MODE SCRIPT. LIBRARY is opened by dlopen(3), unless it is "-": then the
 * program was linked to it. Every mode runs SCRIPT through another door of the C API.
 */
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct PyObject PyObject;

#define PY_FILE_INPUT 257

static void *library;

#define API(ret, name, ...) ((ret(*)(__VA_ARGS__))find(#name))

static void *find(const char *name)
{
	void *f = dlsym(library, name);

	if (!f) {
		fprintf(stderr, "%s\n", dlerror());
		exit(100);
	}
	return f;
}

static char *read_file(const char *path)
{
	FILE *f = fopen(path, "r");
	char *text = calloc(1, 1 << 20);

	if (!f || !text || fread(text, 1, (1 << 20) - 1, f) == 0)
		exit(101);
	fclose(f);
	return text;
}

static PyObject *compile(const char *path)
{
	char *text = read_file(path);
	PyObject *code = API(PyObject *, Py_CompileString, const char *, const char *, int)(text, path, PY_FILE_INPUT);

	free(text);
	if (!code)
		exit(102);
	return code;
}

static PyObject *globals(void)
{
	PyObject *module = API(PyObject *, PyImport_AddModule, const char *)("__main__");

	return API(PyObject *, PyModule_GetDict, PyObject *)(module);
}

static void check(const void *result)
{
	if (result)
		return;
	API(void, PyErr_Print, void)();
	exit(103);
}

static void run(const char *mode, const char *path)
{
	if (!strcmp(mode, "exec_code_module")) {
		check(API(PyObject *, PyImport_ExecCodeModule, const char *, PyObject *)("loaded", compile(path)));
	} else if (!strcmp(mode, "eval_code")) {
		PyObject *g = globals();

		check(API(PyObject *, PyEval_EvalCode, PyObject *, PyObject *, PyObject *)(compile(path), g, g));
	} else if (!strcmp(mode, "run_simple_string")) {
		char *text = read_file(path), *command = calloc(1, 1 << 21);

		sprintf(command, "import sys\nexec(compile(open('%s').read(), '%s', 'exec'))\n", path, path);
		if (API(int, PyRun_SimpleStringFlags, const char *, void *)(command, NULL) < 0)
			exit(104);
		free(command);
		free(text);
	} else if (!strcmp(mode, "run_string")) {
		PyObject *g = globals();
		char command[4096];

		snprintf(command, sizeof(command), "exec(compile(open('%s').read(), '%s', 'exec'))\n", path, path);
		check(API(PyObject *, PyRun_StringFlags, const char *, int, PyObject *, PyObject *,
			  void *)(command, PY_FILE_INPUT, g, g, NULL));
	} else if (!strcmp(mode, "run_file")) {
		FILE *f = fopen(path, "r");
		PyObject *g = globals();

		check(API(PyObject *, PyRun_FileExFlags, FILE *, const char *, int, PyObject *, PyObject *, int,
			  void *)(f, path, PY_FILE_INPUT, g, g, 1, NULL));
	} else {
		exit(105);
	}
}

struct job {
	const char *mode, *path;
};

static void *run_in_thread(void *arg)
{
	struct job *job = arg;
	int state = API(int, PyGILState_Ensure, void)();

	run(job->mode, job->path);
	API(void, PyGILState_Release, int)(state);
	return NULL;
}

static void run_threaded(const char *mode, const char *path)
{
	struct job job = {mode, path};
	pthread_t thread;
	void *saved = API(void *, PyEval_SaveThread, void)();

	if (pthread_create(&thread, NULL, run_in_thread, &job) != 0)
		exit(106);
	pthread_join(thread, NULL);
	API(void, PyEval_RestoreThread, void *)(saved);
}

int main(int argc, char **argv)
{
	const char *mode = argv[2], *path = argv[3];
	int threaded = argc > 4 && !strcmp(argv[4], "thread"), again = argc > 4 && !strcmp(argv[4], "again");

	if (argc < 4)
		return 107;
	library = strcmp(argv[1], "-") ? dlopen(argv[1], RTLD_NOW | RTLD_GLOBAL) : dlopen(NULL, RTLD_NOW);
	if (!library) {
		fprintf(stderr, "%s\n", dlerror());
		return 108;
	}
	for (int i = 0; i <= again; i++) {
		API(void, Py_InitializeEx, int)(0);
		if (threaded)
			run_threaded(mode, path);
		else
			run(mode, i ? argv[5] : path);
		if (again)
			run(mode, path);
		if (API(int, Py_FinalizeEx, void)() < 0)
			return 109;
	}
	puts("embedded");
	return 3;
}
