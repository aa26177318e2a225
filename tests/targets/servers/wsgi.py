import handler


def application(environ, start_response):
    length = int(environ.get("CONTENT_LENGTH") or 0)
    body = environ["wsgi.input"].read(length)
    status, answer = handler.answer(environ["REQUEST_METHOD"], environ["PATH_INFO"], body)
    if status == 200:
        reason = "OK"
    else:
        reason = "No"
    start_response(f"{status} {reason}", [("Content-Type", "text/plain"), ("Content-Length", str(len(answer)))])
    return [answer]
