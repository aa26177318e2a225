import os

import celery

import handler

here = os.environ["TASKS"]
app = celery.Celery("tasks", broker=f"redis+socket://{here}/redis", backend=f"redis+socket://{here}/redis")
app.conf.worker_hijack_root_logger = False
app.conf.broker_connection_retry_on_startup = True
app.conf.result_expires = 600


@app.task
def answer(method, path, body):
    status, data = handler.answer(method, path, body.encode())
    return status, data.decode()


@app.task
def fail(word):
    text = "it is " + word
    raise ValueError(text)


@app.task
def never():
    return 1
