"""Log in, log out, and who am I."""

from __future__ import annotations

import time

from hookserver import __version__
from hookserver.errors import Refused
from hookserver.web.auth import COOKIE
from hookserver.web.base import BaseHandler


class Login(BaseHandler):
    def post(self) -> None:
        token = self.json_body().get("token")
        if not isinstance(token, str):
            raise Refused("bad_request", "The body must be {\"token\": \"…\"}.")
        self.house.auth.login(token, self.client(), time.monotonic())
        self.set_cookie(COOKIE, self.house.auth.cookie, path="/", httponly=True, samesite="Strict",
                        secure=self.is_https())
        self.send({"admin": True})


class Logout(BaseHandler):
    def post(self) -> None:
        self.clear_cookie(COOKIE, path="/", httponly=True, samesite="Strict", secure=self.is_https())
        self.send({"admin": False})


class Session(BaseHandler):
    def get(self) -> None:
        self.send({"admin": self.is_admin(), "version": __version__})
