"""Who is asking, and what may they do: the one object that the API asks.

Everything that a request needs is in memory; the state database follows. While the journal cannot be written people can
still sign in and look (their session then ends with the process), but nothing is changed.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from sqlalchemy.dialects.sqlite import insert

from controller.errors import ConflictError, ForbiddenError, InvalidError, NotFoundError, UnavailableError
from controller.identity.account import DEMO_PREFIX, FIRST_ADMINISTRATOR, User, check_name, history_key, read_users
from controller.identity.link import LinkBook
from controller.identity.lockout import Lockout, read_failures
from controller.identity.password import REMEMBERED, PasswordVault, check_policy
from controller.identity.permission import PermissionSet, Role
from controller.identity.principal import LockedError, Principal, SignInError, is_loopback
from controller.identity.session import ABSOLUTE_S, IDLE_S, Session, SessionBook, digest
from controller.identity.token import Token, TokenBook
from controller.journal import schema
from controller.journal.entry import AuditRow

if TYPE_CHECKING:
    from collections.abc import Mapping

    from controller.identity.account import StateStore
    from drivers.driver import Clock

__all__ = ["DEMO_ROLES", "Identity", "LockedError", "Principal", "SignInError", "is_loopback"]

_log = logging.getLogger(__name__)

DEMO_ROLES = (Role.VIEWER, Role.OPERATOR, Role.ENGINEER, Role.SAFETY_OFFICER, Role.ADMINISTRATOR)
_NEUTRAL = "user name or password is wrong, or the account is disabled"


class Identity:
    """Users, sessions, links and tokens; use `open`."""

    def __init__(
        self,
        journal: StateStore,
        clock: Clock,
        vault: PasswordVault | None = None,
        *,
        demo: bool = False,
        idle_s: float = IDLE_S,
        absolute_s: float = ABSOLUTE_S,
    ) -> None:
        """Begin empty; `open` reads the state."""
        self._journal = journal
        self._clock = clock
        self._vault = vault or PasswordVault()
        self._demo = demo
        self._users: dict[str, User] = {}
        self._former: dict[str, list[str]] = {}
        self._sessions = SessionBook(journal, clock, idle_s, absolute_s)
        self._links = LinkBook(journal, clock)
        self._tokens = TokenBook(journal, clock)
        self._lockout = Lockout(clock)
        self._lock = asyncio.Lock()

    @classmethod
    async def open(
        cls,
        journal: StateStore,
        clock: Clock,
        vault: PasswordVault | None = None,
        *,
        demo: bool = False,
        idle_s: float = IDLE_S,
        absolute_s: float = ABSOLUTE_S,
    ) -> Identity:
        """Read users, sessions, links, tokens and failed sign-ins.

        With `demo` the demo's users are made, without it they are disabled.

        Raises:
            UnavailableError: the state database cannot be read.
        """
        identity = cls(journal, clock, vault, demo=demo, idle_s=idle_s, absolute_s=absolute_s)
        identity._users, identity._former = await read_users(journal)
        await identity._sessions.read()
        await identity._links.read()
        await identity._tokens.read()
        await read_failures(journal, identity._lockout, clock)
        await identity._settle_demo()
        return identity

    def close(self) -> None:
        """Stop the hashing threads."""
        self._vault.close()

    # ------------------------------------------------------------------ who asks

    def of_cookie(self, raw: str, address: str, *, touch: bool = True) -> Principal | None:
        """Return who holds the session of a cookie, prolonging it; None when it is over."""
        principal = self._of_session(digest(raw))
        if principal is None or (principal.demo and not is_loopback(address)):
            return None
        session = self._sessions.get(principal.key)
        if touch and session is not None:
            self._post_quietly(self._sessions.touch(session))
        return principal

    def of_token(self, raw: str) -> Principal | None:
        """Return for whom a token acts; None when it is unknown, expired or revoked, or its owner disabled."""
        found = self._tokens.find(raw)
        return None if found is None else self._of_token(found)

    def again(self, principal: Principal) -> Principal | None:
        """Return the same principal as it is now, without prolonging anything; None when it is over."""
        if not principal.token:
            return self._of_session(principal.key)
        found = self._tokens.by_hash(principal.key)
        return None if found is None else self._of_token(found)

    def _of_session(self, key: str) -> Principal | None:
        session = self._sessions.get(key)
        user = self._users.get(session.user) if session is not None else None
        if session is None or user is None or user.disabled:
            return None
        return self._principal(user, session)

    @staticmethod
    def _principal(user: User, session: Session) -> Principal:
        return Principal(
            user.name,
            user.display_name,
            user.role,
            user.permissions,
            session.id_hash,
            session.csrf,
            session.expires_ns,
            user.must_set_password,
            user.demo,
        )

    def _of_token(self, found: Token) -> Principal | None:
        user = self._users.get(found.user)
        if user is None or user.disabled:
            return None
        permissions = user.permissions.narrowed(found.permissions)
        return Principal(
            user.name,
            f"{user.display_name} ({found.name})",
            user.role,
            permissions,
            found.hash,
            expires_ns=found.expires_ns,
            token=found.id,
        )

    # ------------------------------------------------------------------ signing in and out

    async def sign_in(self, username: str, password: str, address: str) -> tuple[str, Principal]:
        """Sign in by password; returns the secret for the cookie and who it is.

        Raises:
            LockedError: five failures of this pair of user and address within 15 minutes.
            SignInError: neutral.
            UnavailableError: too many at once.
        """
        name = username.strip().lower()[:64]
        locked = self._lockout.remaining(name, address)
        if locked:
            self._audit_quietly(name, "sign_in", outcome="refused", reason="locked", client=address)
            raise LockedError(locked)
        user = self._users.get(name)
        stored = user.password_hash if user is not None and not user.disabled else None
        # Counted before the slow hash, so that many tries at once cannot pass while the first is being hashed.
        closed = self._lockout.fail(name, address)
        try:
            fits = await self._vault.verify(stored, password)
        except UnavailableError:
            self._lockout.forgive(name, address)
            raise
        if not fits:
            reason = "locked after this failure" if closed else ""
            self._audit_quietly(name, "sign_in", outcome="failed", reason=reason, client=address)
            raise SignInError(_NEUTRAL)
        user = self._users.get(name)
        if user is None or user.disabled or user.password_hash != stored:
            raise SignInError(_NEUTRAL)
        self._lockout.succeed(name, address)
        return await self._begin(user, address, "sign_in")

    async def sign_in_by_link(self, raw: str, address: str) -> tuple[str, Principal]:
        """Sign in by a single-use link; the first administrator's makes that user.

        Raises:
            SignInError: unknown, used, expired, or not from this machine where it must be.
            UnavailableError: the journal cannot be written (a link of a real user is refused then).
        """
        link = self._links.find(raw)
        if link is None or (link.loopback and not is_loopback(address)):
            self._audit_quietly("", "sign_in_link", outcome="failed", client=address)
            raise SignInError("this link was used already, has expired, or is not good from here; ask for a new one")
        statements = self._links.use(link)
        async with self._lock:
            user = self._users.get(link.user)
            if user is None and link.first_admin:
                now = self._clock.now_ns()
                user = User(link.user, "", Role.ADMINISTRATOR, must_set_password=True, created_ns=now, changed_ns=now)
                await self._write(user, "user_create", link.user, address, statements, {"role": user.role.value})
            elif statements:
                self._journal.post(*statements)
                await self._journal.commit()
        if user is None or user.disabled:
            raise SignInError("this link was used already, has expired, or is not good from here; ask for a new one")
        return await self._begin(user, address, "sign_in_link")

    async def sign_out(self, principal: Principal, address: str) -> None:
        """End the session of a principal now."""
        statements = self._sessions.end(principal.key)
        self._post_quietly(statements)
        self._audit_quietly(principal.actor, "sign_out", client=address)

    async def set_password(
        self, principal: Principal, current: str | None, new: str, address: str
    ) -> tuple[str, Principal]:
        """Change the own password; every session ends and a new one begins, which is returned.

        Raises:
            InvalidError: the policy refuses it, or it is one of the last three.
            SignInError: the current password is wrong.
            ForbiddenError: users of the demo and tokens have none.
        """
        user = self._users.get(principal.name)
        if principal.token or principal.demo or user is None:
            raise ForbiddenError("tokens and users of the demo have no password")
        if user.password_hash is not None and not user.must_set_password:
            locked = self._lockout.remaining(user.name, address)
            if locked:
                raise LockedError(locked)
            self._lockout.fail(user.name, address)
            if not await self._vault.verify(user.password_hash, current or ""):
                self._audit_quietly(user.name, "password_change", user.name, outcome="failed", client=address)
                raise SignInError("the current password is wrong")
            self._lockout.succeed(user.name, address)
        check_policy(new, user.name)
        if await self._vault.used(self._former.get(user.name, []), new):
            raise InvalidError(f"the password is one of your last {REMEMBERED}; choose another")
        hashed = await self._vault.hash(new)
        async with self._lock:
            user = self._users.get(user.name)
            if user is None or user.disabled:
                raise SignInError(_NEUTRAL)
            former = [*self._former.get(user.name, []), hashed][-REMEMBERED:]
            values = {"key": history_key(user.name), "value": former, "time_ns": self._clock.now_ns()}
            remember = insert(schema.setting).values(**values)
            changed = replace(user, password_hash=hashed, must_set_password=False, changed_ns=self._clock.now_ns())
            statements = [remember.on_conflict_do_update(index_elements=["key"], set_=values)]
            await self._write(changed, "password_change", user.name, address, statements)
            self._former[user.name] = former
            self._post_quietly(self._sessions.end_all(user.name))
        return await self._begin(changed, address, "sign_in")

    async def _begin(self, user: User, address: str, action: str) -> tuple[str, Principal]:
        raw, session, statements = self._sessions.begin(user.name, address)
        self._post_quietly(statements)
        self._audit_quietly(user.name, action, client=address)
        try:
            await self._journal.commit()
        except UnavailableError as error:
            _log.warning("sign-in of %s is not recorded: %s", user.name, error)
        return raw, self._principal(user, session)

    # ------------------------------------------------------------------ links

    async def first_link(self) -> str | None:
        """Return the token of a new link for the first administrator; None when somebody administers already.

        Printed at the start, so that a link that was opened but never finished with a password cannot lock everybody
        out: until an administrator has a password there is a new link at every start.
        """
        if self._demo or any(user.administers for user in self._users.values()):
            return None
        raw, statements = self._links.make(Role.ADMINISTRATOR, FIRST_ADMINISTRATOR, first_admin=True)
        self._journal.post(*statements)
        await self._journal.commit()
        return raw

    def demo_links(self) -> dict[Role, str]:
        """Return the tokens of new links, one a role, good from this machine alone and until the process ends.

        Raises:
            ConflictError: this is not the demo.
        """
        if not self._demo:
            raise ConflictError("demo links exist in `shifu demo` alone")
        return {role: self._links.make(role, f"{DEMO_PREFIX}{role.value}", loopback=True)[0] for role in DEMO_ROLES}

    async def reset_link(self, name: str, actor: str, address: str) -> str:
        """Return the token of a link by which a user signs in once and sets a new password.

        Raises:
            NotFoundError: no such user.
            ConflictError: a user of the demo, who has no password to set.
        """
        async with self._lock:
            user = self.user(name)
            if user.demo:
                raise ConflictError("the users of the demo have no password; start the demo again for new links")
            changed = replace(user, must_set_password=True, changed_ns=self._clock.now_ns())
            raw, statements = self._links.make(user.role, user.name)
            await self._write(changed, "user_link", name, address, statements, actor=actor)
            self._post_quietly(self._sessions.end_all(name))
        return raw

    # ------------------------------------------------------------------ users and tokens

    @property
    def users(self) -> Mapping[str, User]:
        """All users by name."""
        return self._users

    def user(self, name: str) -> User:
        """Return one user.

        Raises:
            NotFoundError: no such user.
        """
        found = self._users.get(name)
        if found is None:
            raise NotFoundError(f"no user {name[:40]!r}; GET /api/v1/users lists them")
        return found

    async def create_user(
        self, name: str, display_name: str, role: Role, areas: tuple[str, ...], actor: str, address: str
    ) -> tuple[User, str]:
        """Make a user without a password; returns it and the token of the link for the first sign-in.

        Raises:
            InvalidError: the name cannot be used.
            ConflictError: it exists.
        """
        check_name(name)
        async with self._lock:
            if name in self._users:
                raise ConflictError(f"user {name!r} exists; choose another name, or change that user")
            now = self._clock.now_ns()
            made = User(name, display_name, role, None, areas, must_set_password=True, created_ns=now, changed_ns=now)
            raw, statements = self._links.make(role, name)
            data = {"role": role.value, "areas": list(areas)}
            await self._write(made, "user_create", name, address, statements, data, actor)
        return made, raw

    async def change_user(self, name: str, changes: Mapping[str, Any], actor: str, address: str) -> User:
        """Change display name, role, areas or disabled; with role, areas or disabled all sessions of the user end.

        Raises:
            NotFoundError: no such user.
            ConflictError: it is the own account's role, a user of the demo, or the last administrator.
        """
        async with self._lock:
            user = self.user(name)
            changed = replace(user, **changes, changed_ns=self._clock.now_ns())
            rights = (changed.role, changed.areas, changed.disabled) != (user.role, user.areas, user.disabled)
            self._check_change(user, changed if changed.administers else None, actor, rights=rights)
            data = {key: value.value if isinstance(value, Role) else value for key, value in changes.items()}
            await self._write(changed, "user_change", name, address, [], data, actor)
            if rights:
                self._post_quietly(self._sessions.end_all(name))
            return changed

    async def delete_user(self, name: str, actor: str, address: str) -> None:
        """Delete a user with sessions and tokens; the audit journal keeps the name.

        Raises:
            NotFoundError: no such user.
            ConflictError: it is the own account, a user of the demo, or the last administrator.
        """
        async with self._lock:
            user = self.user(name)
            self._check_change(user, None, actor, rights=True)
            await self._journal.change(self._row(actor, "user_delete", name, client=address), *user.remove())
            del self._users[name]
            self._former.pop(name, None)
            self._sessions.end_all(name)
            self._tokens.revoke_all(name)

    def _check_change(self, user: User, after: User | None, actor: str, *, rights: bool) -> None:
        if not rights:
            return
        if user.name == actor:
            raise ConflictError("nobody changes the rights of the own account; ask another administrator")
        if user.demo:
            raise ConflictError("the users of the demo are fixed; make another user")
        others = any(other.administers for other in self._users.values() if other.name != user.name)
        if user.administers and after is None and not others:
            raise ConflictError(f"{user.name!r} is the last administrator with a password; make another one first")

    @property
    def tokens(self) -> list[Token]:
        """All tokens that are not revoked."""
        return self._tokens.all()

    async def create_token(
        self,
        principal: Principal,
        name: str,
        permissions: PermissionSet,
        expires_s: float | None,
        address: str,
        owner: str | None = None,
    ) -> tuple[str, Token]:
        """Make a token of the principal, or of another user; its text is returned once and kept nowhere.

        Raises:
            InvalidError: no permission, more than the owner has, or one to manage users.
            NotFoundError: no such owner.
            ForbiddenError: a token asks.
        """
        if principal.token:
            raise ForbiddenError("a token cannot make tokens; sign in as a person")
        user = self.user(owner or principal.name)
        raw, made, statements = self._tokens.make(user.name, user.permissions, name, permissions, expires_s)
        try:
            data = {"name": name, "user": user.name, "permissions": permissions.rows()}
            row = self._row(principal.actor, "token_create", made.id, client=address, data=data)
            await self._journal.change(row, *statements)
        except BaseException:
            self._tokens.revoke(made.id)
            raise
        return raw, made

    async def revoke_token(self, token_id: str, actor: str, address: str) -> None:
        """End a token now.

        Raises:
            NotFoundError: no such token.
            UnavailableError: it has ended, but comes back at the next start, for it could not be written.
        """
        _, statements = self._tokens.revoke(token_id)
        await self._journal.change(self._row(actor, "token_revoke", token_id, client=address), *statements)

    # ------------------------------------------------------------------ the audit journal

    async def audit(
        self,
        actor: str,
        action: str,
        target: str = "",
        *,
        outcome: str = "done",
        reason: str = "",
        client: str = "",
        data: Mapping[str, Any] | None = None,
    ) -> None:
        """Append who did what and return when it is durable.

        Raises:
            UnavailableError: refuse what was to be audited.
        """
        await self._journal.change(self._row(actor, action, target, outcome, reason, client, data))

    def _row(
        self,
        actor: str,
        action: str,
        target: str = "",
        outcome: str = "done",
        reason: str = "",
        client: str = "",
        data: Mapping[str, Any] | None = None,
    ) -> AuditRow:
        return AuditRow(self._clock.now_ns(), actor, action, target, outcome, reason, client, data or {})

    def _audit_quietly(
        self, actor: str, action: str, target: str = "", *, outcome: str = "done", reason: str = "", client: str = ""
    ) -> None:
        """Audit what must not be stopped by a failing disk: looking, signing in and out."""
        try:
            self._journal.audit(self._row(actor, action, target, outcome, reason, client))
        except UnavailableError as error:
            _log.warning("audit: %s by %s is not recorded: %s", action, actor, error)

    def _post_quietly(self, statements: list[Any]) -> None:
        try:
            if statements:
                self._journal.post(*statements)
        except UnavailableError as error:
            _log.warning("identity: the state database does not follow: %s", error)

    async def _write(
        self,
        user: User,
        action: str,
        target: str,
        address: str,
        statements: list[Any],
        data: Mapping[str, Any] | None = None,
        actor: str = "",
    ) -> None:
        row = self._row(actor or user.name, action, target, client=address, data=data)
        await self._journal.change(row, user.upsert(), *statements)
        self._users[user.name] = user

    async def _settle_demo(self) -> None:
        wanted = {f"{DEMO_PREFIX}{role.value}": role for role in DEMO_ROLES} if self._demo else {}
        now = self._clock.now_ns()
        statements: list[Any] = []
        for user in [user for user in self._users.values() if user.demo]:
            statements += self._sessions.end_all(user.name)
            if user.name not in wanted and not user.disabled:
                self._users[user.name] = replace(user, disabled=True, changed_ns=now)
                statements.append(self._users[user.name].upsert())
        for name, role in wanted.items():
            self._users[name] = User(name, role.value.replace("_", " "), role, created_ns=now, changed_ns=now)
            statements.append(self._users[name].upsert())
        if statements:
            self._journal.post(*statements)
            await self._journal.commit()
