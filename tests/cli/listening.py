"""What agents that only play one share: a socket, a thread for each caller, and frames."""

import os
import socket
import threading


def frames(connection):
    """What the caller sends, until it hangs up."""
    pending = b""
    while data := connection.recv(1 << 20):
        pending += data
        while b"\0" in pending:
            frame, pending = pending.split(b"\0", 1)
            yield frame


def listen(folder, path, serve):
    """Calls serve(connection, number) for each caller, until FOLDER is gone; a caller who hangs up ends it."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(path)
    listener.listen(64)
    listener.settimeout(0.5)
    number = 0
    while os.path.isdir(folder):
        try:
            connection, _ = listener.accept()
        except socket.timeout:
            continue
        connection.settimeout(None)
        number += 1
        threading.Thread(target=attend, args=(serve, connection, number), daemon=True).start()


def attend(serve, connection, number):
    try:
        serve(connection, number)
    except OSError:
        pass
    finally:
        connection.close()
