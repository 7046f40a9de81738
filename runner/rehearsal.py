"""What a small application does, done once in a zygote, so that its forks find done what every application needs.

Libraries import more when they are first used, compile patterns, fill caches; the interpreter notes what kinds of values its
instructions meet. All of this is inherited by a fork. Nothing here starts a thread, opens a file or leaves a trace
that an application could see: no event loop is set, no logger configured, no warning counted as shown.
"""

import asyncio
import contextlib
import datetime
import enum
import gc
import typing
import warnings

HEADERS = [(b"host", b"localhost"), (b"content-type", b"application/json"), (b"accept", b"*/*")]


def rehearse(enough=lambda: False):
    """Does all of it, or as much as there is time for."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        # What the environment lacks, or does in another way, is not rehearsed.
        for part in (web, database, typed_database):
            if enough():
                return
            with contextlib.suppress(Exception):
                part()
    gc.collect()


def web():
    app = application()
    requests = [
        ("GET", "/health", b""),
        ("GET", "/items", b""),
        ("GET", "/items/1", b""),
        ("PUT", "/items/1", b'{"name": "two", "mail": "a@b"}'),
        ("POST", "/items", b'{"id": 1, "name": "one", "price": 2, "kind": "a"}'),
    ]

    async def perform():
        async with app.router.lifespan_context(app):
            for method, path, body in requests:
                await request(app, method, path, body)

    loop = asyncio.new_event_loop()
    try:
        # `asyncio.run` would leave its mark: nobody could ask for the current loop afterwards.
        loop.run_until_complete(perform())
    finally:
        loop.close()


async def request(app, method, path, body):
    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": HEADERS,
        "client": None,
        "server": None,
        "state": {},
    }

    async def receive():
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message):
        pass

    await app(scope, receive, send)


def application():
    import fastapi
    import pydantic
    from fastapi.middleware.cors import CORSMiddleware
    from fastapi.security import OAuth2PasswordBearer

    class Kind(str, enum.Enum):
        A = "a"

    class Item(pydantic.BaseModel):
        id: int
        name: str = pydantic.Field(min_length=1, max_length=80, description="Its name")
        price: float = pydantic.Field(1.0, gt=0)
        kind: Kind = Kind.A
        tags: typing.List[str] = []
        note: typing.Optional[str] = None
        at: typing.Optional[datetime.datetime] = None

    class Change(pydantic.BaseModel):
        model_config = {"from_attributes": True}
        name: str = pydantic.Field(min_length=1)
        mail: str = pydantic.Field(pattern="^[^@]+@[^@]+$")
        parts: typing.List[Item] = []

    class Items(pydantic.BaseModel):
        items: typing.List[Item]

    def limit(skip: int = 0, q: typing.Optional[str] = None):
        return skip, q

    async def words(q: typing.Optional[str] = None):
        yield q

    router = fastapi.APIRouter(prefix="/items", tags=["items"])

    @router.get("", response_model=typing.List[Item])
    async def every(first: int = fastapi.Query(0, ge=0), q: str = fastapi.Depends(words)):
        """All of them."""
        return [Item(id=1, name="one")]

    @router.get("/{item_id}", response_model=Item)
    async def one(item_id: int, agent: typing.Optional[str] = fastapi.Header(None)):
        return {"id": item_id, "name": "one"}

    @router.post("", response_model=Items, status_code=201)
    async def add(item: Item):
        return Items(items=[item])

    scheme = OAuth2PasswordBearer(tokenUrl="token", auto_error=False)

    @router.put("/{item_id}")
    def replace(
        item_id: typing.Annotated[int, fastapi.Path(ge=0)],
        item: Change,
        token: typing.Annotated[typing.Optional[str], fastapi.Depends(scheme)],
        page: typing.Annotated[int, fastapi.Query(ge=1, le=9, description="Which")] = 1,
    ) -> Item:
        return Item(id=item_id, name=item.name)

    @router.delete("/{item_id}", status_code=204, dependencies=[fastapi.Depends(limit)])
    async def remove(item_id: int):
        raise fastapi.HTTPException(status_code=404)

    @contextlib.asynccontextmanager
    async def lifespan(_):
        yield

    app = fastapi.FastAPI(title="Rehearsal", lifespan=lifespan)
    app.add_middleware(CORSMiddleware, allow_origins=["*"])
    app.include_router(router)

    @app.get("/health")
    async def health():
        return {"status": "ok"}

    return app


def database():
    import sqlalchemy as sa
    from sqlalchemy import orm

    base = orm.declarative_base()

    class Parent(base):
        __tablename__ = "parents"
        id = sa.Column(sa.Integer, primary_key=True)
        name = sa.Column(sa.String(80), unique=True, index=True, nullable=False)
        price = sa.Column(sa.Float, default=1.0)
        done = sa.Column(sa.Boolean, default=False)
        at = sa.Column(sa.DateTime, server_default=sa.func.now())
        children = orm.relationship("Child", back_populates="parent", cascade="all, delete-orphan")

    class Child(base):
        __tablename__ = "children"
        id = sa.Column(sa.Integer, primary_key=True)
        parent_id = sa.Column(sa.ForeignKey("parents.id"))
        parent = orm.relationship(Parent, back_populates="children")

    with engine_of(base, sa) as engine, orm.sessionmaker(bind=engine, autoflush=False)() as session:
        session.add(Parent(name="one", children=[Child()]))
        session.commit()
        session.add_all([Parent(name="two"), Parent(name="three")])
        session.commit()
        session.query(Parent).filter(Parent.name == "one").order_by(Parent.id).limit(1).first()
        chosen = sa.select(Parent).where(Parent.id == 1).options(orm.selectinload(Parent.children))
        session.scalars(chosen).all()
        session.scalar(sa.select(sa.func.count()).select_from(Parent))
        session.delete(session.get(Parent, 1))
        session.commit()


def typed_database():
    import sqlalchemy as sa
    from sqlalchemy import orm

    class Base(orm.DeclarativeBase):
        pass

    class Owner(Base):
        __tablename__ = "owners"
        id: orm.Mapped[int] = orm.mapped_column(primary_key=True)
        name: orm.Mapped[str] = orm.mapped_column(sa.String(80), unique=True, index=True)
        note: orm.Mapped[typing.Optional[str]]
        at: orm.Mapped[datetime.datetime] = orm.mapped_column(default=datetime.datetime.now)
        owned = orm.relationship("Owned", back_populates="owner")

    class Owned(Base):
        __tablename__ = "owned"
        id: orm.Mapped[int] = orm.mapped_column(primary_key=True)
        price: orm.Mapped[float]
        owner_id: orm.Mapped[int] = orm.mapped_column(sa.ForeignKey("owners.id"), index=True)
        owner: orm.Mapped[Owner] = orm.relationship(back_populates="owned")

    with engine_of(Base, sa) as engine, orm.sessionmaker(bind=engine, expire_on_commit=False)() as session:
        session.add(Owner(name="one", owned=[Owned(price=1)]))
        session.commit()
        session.scalars(sa.select(Owned).order_by(Owned.id)).all()


@contextlib.contextmanager
def engine_of(base, sa):
    """A database in memory with the tables, gone afterwards."""
    engine = sa.create_engine("sqlite://", connect_args={"check_same_thread": False}, poolclass=sa.pool.StaticPool)
    try:
        for _ in range(2):
            base.metadata.create_all(engine)
        yield engine
    finally:
        engine.dispose()
        base.registry.dispose()
