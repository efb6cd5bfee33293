"""A coordinator that stays at its address when it is stopped and started again."""

from urllib.parse import urlsplit

import psutil

from tests.coordinator_project.running import Running

PATIENCE = 100  # seconds for migrations, on a machine that may be busy


class Site:
    def __init__(self, folder, **settings):
        self.folder = folder
        self.settings = {"COORDINATOR_PROCESSES": "1", **settings}

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *problem):
        family = self.running.family() if self.running.process.poll() is None else []
        try:
            self.stop()
        finally:
            for process in psutil.wait_procs(family, 5)[1]:
                process.kill()

    def start(self):
        self.running = Running(self.folder, **self.settings)
        try:
            self.url = self.running.ready(PATIENCE).url
        except BaseException:
            self.running.end()
            raise
        self.settings["COORDINATOR_PORT"] = str(urlsplit(self.url).port)

    def stop(self):
        return self.running.end()
