from sqlalchemy import Column, Integer, MetaData, Table, create_engine, insert, select


def write(rows):
    table = Table("t", MetaData(), Column("a", Integer), Column("b", Integer))
    engine = create_engine("sqlite://")
    table.metadata.create_all(engine)
    with engine.begin() as c:
        c.execute(insert(table), [dict(a=a, b=b) for a, b in rows])
        return repr(c.execute(select(table.c.a + table.c.b)).all())
