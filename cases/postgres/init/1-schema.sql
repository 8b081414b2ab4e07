CREATE EXTENSION pg_trgm;
CREATE TABLE item (id serial PRIMARY KEY, name text NOT NULL);
INSERT INTO item (name) VALUES ('jettison'), ('ballast'), ('anchor');
CREATE INDEX ON item USING gin (name gin_trgm_ops);
CREATE FUNCTION add(a int, b int) RETURNS int LANGUAGE plpgsql AS $$ BEGIN RETURN a + b; END $$;
