BEGIN TRANSACTION;
CREATE TABLE alarm_entry (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	occurrence VARCHAR NOT NULL, 
	definition VARCHAR NOT NULL, 
	time_ns BIGINT NOT NULL, 
	event VARCHAR NOT NULL, 
	from_state VARCHAR NOT NULL, 
	to_state VARCHAR NOT NULL, 
	value FLOAT, 
	"limit" FLOAT, 
	user VARCHAR NOT NULL, 
	comment TEXT NOT NULL
);
INSERT INTO "alarm_entry" VALUES(1,'o1','cityhall.plant.ch1.load#high',5,'raised','normal','unacknowledged',95.5,90.0,'','');
CREATE TABLE alarm_state (
	definition VARCHAR NOT NULL, 
	occurrence VARCHAR NOT NULL, 
	state VARCHAR NOT NULL, 
	raised_ns BIGINT, 
	returned_ns BIGINT, 
	acknowledged_ns BIGINT, 
	acknowledged_by VARCHAR NOT NULL, 
	comment TEXT NOT NULL, 
	value FLOAT, 
	"limit" FLOAT, 
	count INTEGER NOT NULL, 
	data JSON NOT NULL, 
	CONSTRAINT pk_alarm_state PRIMARY KEY (definition)
);
INSERT INTO "alarm_state" VALUES('cityhall.plant.ch1.load#high','o1','unacknowledged',5,NULL,NULL,'','',NULL,NULL,0,'{}');
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "alembic_version" VALUES('v0001');
CREATE TABLE audit_entry (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	time_ns BIGINT NOT NULL, 
	actor VARCHAR NOT NULL, 
	action VARCHAR NOT NULL, 
	target VARCHAR NOT NULL, 
	outcome VARCHAR NOT NULL, 
	reason TEXT NOT NULL, 
	client VARCHAR NOT NULL, 
	data TEXT NOT NULL, 
	previous VARCHAR(64) NOT NULL, 
	hash VARCHAR(64) NOT NULL
);
INSERT INTO "audit_entry" VALUES(1,1,'admin','sign_in','','done','','127.0.0.1','{}','0000000000000000000000000000000000000000000000000000000000000000','bed7da9989c96df409c8bbc8d2a775d4f0c557e7865c21518094eddfb2cfda22');
INSERT INTO "audit_entry" VALUES(2,2,'admin','limit_change','cityhall.plant.ch1.load','done','','','{"high":[95,90]}','bed7da9989c96df409c8bbc8d2a775d4f0c557e7865c21518094eddfb2cfda22','89b76a0a11fa32e862152e92d1259ca36b1b60f9b57b6eba502b83813214e00c');
CREATE TABLE command_entry (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	command VARCHAR NOT NULL, 
	time_ns BIGINT NOT NULL, 
	point VARCHAR NOT NULL, 
	number INTEGER NOT NULL, 
	slot INTEGER NOT NULL, 
	value FLOAT, 
	previous FLOAT, 
	owner VARCHAR NOT NULL, 
	reason TEXT NOT NULL, 
	state VARCHAR NOT NULL, 
	message TEXT NOT NULL, 
	until_ns BIGINT, 
	readback FLOAT
);
CREATE TABLE command_slot (
	point VARCHAR NOT NULL, 
	slot INTEGER NOT NULL, 
	value FLOAT NOT NULL, 
	owner VARCHAR NOT NULL, 
	reason TEXT NOT NULL, 
	since_ns BIGINT NOT NULL, 
	until_ns BIGINT, 
	lease_s FLOAT, 
	CONSTRAINT pk_command_slot PRIMARY KEY (point, slot)
);
CREATE TABLE event_entry (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	source VARCHAR NOT NULL, 
	"key" VARCHAR NOT NULL, 
	type VARCHAR NOT NULL, 
	time_ns BIGINT NOT NULL, 
	received_ns BIGINT NOT NULL, 
	late BOOLEAN NOT NULL, 
	data JSON NOT NULL, 
	CONSTRAINT uq_event_entry_source_key UNIQUE (source, "key")
);
CREATE TABLE overlay (
	"key" VARCHAR NOT NULL, 
	value JSON, 
	who VARCHAR NOT NULL, 
	why TEXT NOT NULL, 
	expires_ns BIGINT, 
	time_ns BIGINT NOT NULL, 
	version INTEGER NOT NULL, 
	CONSTRAINT pk_overlay PRIMARY KEY ("key")
);
CREATE TABLE point_number (
	number INTEGER NOT NULL, 
	address VARCHAR NOT NULL, 
	created_ns BIGINT NOT NULL, 
	CONSTRAINT pk_point_number PRIMARY KEY (number), 
	CONSTRAINT uq_point_number_address UNIQUE (address)
);
CREATE TABLE point_rename (
	id INTEGER NOT NULL, 
	number INTEGER NOT NULL, 
	old VARCHAR NOT NULL, 
	new VARCHAR NOT NULL, 
	who VARCHAR NOT NULL, 
	time_ns BIGINT NOT NULL, 
	CONSTRAINT pk_point_rename PRIMARY KEY (id)
);
CREATE TABLE session (
	id_hash VARCHAR NOT NULL, 
	user VARCHAR NOT NULL, 
	csrf VARCHAR NOT NULL, 
	created_ns BIGINT NOT NULL, 
	seen_ns BIGINT NOT NULL, 
	expires_ns BIGINT NOT NULL, 
	address VARCHAR NOT NULL, 
	CONSTRAINT pk_session PRIMARY KEY (id_hash), 
	CONSTRAINT fk_session_user FOREIGN KEY(user) REFERENCES user (name) ON DELETE CASCADE
);
CREATE TABLE setting (
	"key" VARCHAR NOT NULL, 
	value JSON, 
	time_ns BIGINT NOT NULL, 
	CONSTRAINT pk_setting PRIMARY KEY ("key")
);
INSERT INTO "setting" VALUES('audit_head','{"hash":"89b76a0a11fa32e862152e92d1259ca36b1b60f9b57b6eba502b83813214e00c","id":2}',0);
CREATE TABLE sign_in_link (
	hash VARCHAR NOT NULL, 
	role VARCHAR NOT NULL, 
	user VARCHAR NOT NULL, 
	created_ns BIGINT NOT NULL, 
	expires_ns BIGINT NOT NULL, 
	used_ns BIGINT, 
	first_admin BOOLEAN NOT NULL, 
	CONSTRAINT pk_sign_in_link PRIMARY KEY (hash)
);
CREATE TABLE token (
	id VARCHAR NOT NULL, 
	user VARCHAR NOT NULL, 
	name VARCHAR NOT NULL, 
	hash VARCHAR NOT NULL, 
	permissions JSON NOT NULL, 
	created_ns BIGINT NOT NULL, 
	expires_ns BIGINT, 
	last_used_ns BIGINT, 
	revoked BOOLEAN NOT NULL, 
	CONSTRAINT pk_token PRIMARY KEY (id), 
	CONSTRAINT fk_token_user FOREIGN KEY(user) REFERENCES user (name) ON DELETE CASCADE, 
	CONSTRAINT uq_token_hash UNIQUE (hash)
);
CREATE TABLE user (
	name VARCHAR NOT NULL, 
	display_name VARCHAR NOT NULL, 
	role VARCHAR NOT NULL, 
	password_hash VARCHAR, 
	areas JSON NOT NULL, 
	disabled BOOLEAN NOT NULL, 
	must_set_password BOOLEAN NOT NULL, 
	failed_count INTEGER NOT NULL, 
	locked_until_ns BIGINT, 
	created_ns BIGINT NOT NULL, 
	changed_ns BIGINT NOT NULL, 
	CONSTRAINT pk_user PRIMARY KEY (name)
);
INSERT INTO "user" VALUES('admin','管理員','administrator',NULL,'[]',0,0,0,NULL,1,1);
CREATE INDEX ix_alarm_entry_definition_id ON alarm_entry (definition, id);
CREATE INDEX ix_alarm_entry_occurrence_id ON alarm_entry (occurrence, id);
CREATE INDEX ix_alarm_entry_time_ns ON alarm_entry (time_ns);
CREATE INDEX ix_audit_entry_actor_id ON audit_entry (actor, id);
CREATE INDEX ix_audit_entry_time_ns ON audit_entry (time_ns);
CREATE INDEX ix_command_entry_command_id ON command_entry (command, id);
CREATE INDEX ix_command_entry_point_id ON command_entry (point, id);
CREATE INDEX ix_command_entry_time_ns ON command_entry (time_ns);
CREATE INDEX ix_event_entry_time_ns ON event_entry (time_ns);
CREATE INDEX ix_event_entry_type_id ON event_entry (type, id);
CREATE INDEX ix_session_user ON session (user);
CREATE INDEX ix_token_user ON token (user);
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('alarm_entry',1);
INSERT INTO "sqlite_sequence" VALUES('audit_entry',2);
COMMIT;
