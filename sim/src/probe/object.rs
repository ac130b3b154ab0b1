//! The object of the small program.

use super::*;

pub(super) struct ProbeObject {
    state: ObjectState,
    notes: Notes,
    requests: Cell<u64>,
}

impl Actor<ObjectState> for ProbeObject {
    type Settings = Notes;

    fn new(state: ObjectState, notes: Notes) -> Self {
        Self { state, notes, requests: Cell::new(0) }
    }

    /// Answers `connect` with a socket, to which the rest of the command is attached; its tag is longer than allowed if
    /// that is asked for.
    async fn call(&self, request: ObjectRequest) -> ObjectAnswer {
        if let Some(attached) = ["connect", "listen"].iter().find_map(|verb| request.message.strip_prefix(verb)) {
            let attached = attached.trim_start();
            let tag = if attached == "tag too long" { TAG.repeat(100) } else { TAG.to_owned() };
            let attachment = Bytes::copy_from_slice(attached.as_bytes());
            let otherwise = Response::new(500).with_body("no socket");
            return ObjectAnswer::Upgrade(Upgrade {
                tags: [tag, "0".to_owned()],
                attachment,
                greeting: Bytes::from_static(b"hello"),
                otherwise,
            });
        }
        self.requests.set(self.requests.get() + 1);
        ObjectAnswer::Response(match self.obey(&request.message).await {
            Ok(text) => Response::new(200).with_body(text),
            Err(error) => Response::new(500).with_body(error.message),
        })
    }

    async fn alarm(&self) -> Result<(), AlarmFailure> {
        self.notes.alarms_ms.borrow_mut().push(rt::now_ns() / 1_000_000);
        rt::sleep_ms(self.notes.alarm_lasts_ms.get()).await;
        let failing = self.notes.failing_alarms.get();
        if failing > 0 {
            self.notes.failing_alarms.set(failing - 1);
            return Err(AlarmFailure { message: "told to fail".into() });
        }
        if let Some(at_ms) = self.notes.next_alarm_ms.take() {
            self.state.set_alarm(at_ms).map_err(|error| AlarmFailure { message: error.message })?;
        }
        Ok(())
    }
}

impl ObjectClass for ProbeObject {
    fn may_write_at_start(_storage: &ObjectSql) -> bool {
        false
    }

    fn cause(_message: &str) -> Cause {
        Cause::Write
    }

    fn answer_when_lost() -> Response {
        Response::new(500).with_body("lost")
    }

    fn of_another_release(message: &str) -> String {
        format!("other {message}")
    }
}

impl ProbeObject {
    async fn obey(&self, command: &str) -> Result<String, SqlError> {
        match command.split_once(' ').unwrap_or((command, "")) {
            ("count", _) => self.rows().map(|rows| rows.to_string()),
            ("requests", _) => Ok(self.requests.get().to_string()),
            ("class", _) => match self.state.class() {
                Class::Stream => Ok("stream".to_owned()),
                Class::Project => Ok("project".to_owned()),
            },
            ("id", _) => Ok(self.state.id().to_owned()),
            ("now", _) => Ok(self.state.now_ms().to_string()),
            ("append", text) => {
                self.append(text)?;
                self.rows().map(|rows| rows.to_string())
            }
            // A row of so many bytes.
            ("fill", bytes) => {
                self.append(&"x".repeat(bytes.parse().map_err(|_| SqlError::new("no number"))?))?;
                self.rows().map(|rows| rows.to_string())
            }
            ("clear", _) => self.state.sql().run("DROP TABLE rows", &[]).map(|()| String::new()),
            ("bytes", _) => self.state.sql().database_bytes().map(|bytes| bytes.to_string()),
            // Two rows in one turn.
            ("pair", _) => {
                self.append("first")?;
                self.append("second")?;
                self.rows().map(|rows| rows.to_string())
            }
            // A row, a call of another object, and a row in a later turn.
            ("call", other) => {
                self.append("before")?;
                let request = ObjectRequest::of("append called".to_owned());
                let called = self.state.objects().call(address(other), request).await;
                self.append("after")?;
                Ok(if called.is_ok() { "called".into() } else { "reset".into() })
            }
            ("alarm", at_ms) => {
                self.state.set_alarm(at_ms.parse().map_err(|_| SqlError::new("no time"))?)?;
                Ok(String::new())
            }
            ("attachments", _) => {
                let sockets = self.state.sockets(TAG);
                let texts = sockets.iter().map(|socket| String::from_utf8_lossy(&socket.attachment()).into_owned());
                Ok(texts.collect::<Vec<_>>().join(","))
            }
            // A message that leaves at once, a row, and a message that the row holds back.
            ("send", text) => {
                for socket in self.state.sockets(TAG) {
                    socket.send(Bytes::from_static(b"soon"));
                }
                self.append(text)?;
                for socket in self.state.sockets(TAG) {
                    socket.send(Bytes::copy_from_slice(text.as_bytes()));
                    socket.close();
                }
                Ok(String::new())
            }
            // A row, and a put that has to wait for it.
            ("keep", key) => {
                self.append(key)?;
                self.put(key, PutCondition::Always).await
            }
            ("put", key) => self.put(key, PutCondition::Always).await,
            ("put-new", key) => self.put(key, PutCondition::Absent).await,
            ("get", key) => match self.state.bucket().get(key, 0..3, LIMIT_MS).await {
                Ok(Some(bytes)) => Ok(String::from_utf8_lossy(&bytes).into_owned()),
                Ok(None) => Ok("none".into()),
                Err(error) => Ok(told(&error)),
            },
            ("delete", keys) => {
                let keys: Vec<String> = keys.split(' ').map(str::to_owned).collect();
                let deleted = self.state.bucket().delete(&keys, LIMIT_MS).await;
                Ok(deleted.map_or_else(|error| told(&error), |()| "deleted".into()))
            }
            ("list", prefix) => match self.state.bucket().list(prefix, None, 3, LIMIT_MS).await {
                Ok(listing) => {
                    let keys: Vec<&str> = listing.objects.iter().map(|object| object.key.as_str()).collect();
                    Ok(format!("{}{}", keys.join(" "), if listing.more { " and more" } else { "" }))
                }
                Err(error) => Ok(told(&error)),
            },
            // A row, and a put that has to wait for it.
            ("kv-keep", rest) => {
                self.append(rest)?;
                Ok(kv::obey(self.state.kv(), &format!("kv-put {rest}")).await)
            }
            ("kv-get" | "kv-put" | "kv-list", _) => Ok(kv::obey(self.state.kv(), command).await),
            // To all sockets at once, after a row.
            ("broadcast", text) => {
                self.append(text)?;
                Ok(self
                    .state
                    .broadcast(TAG, Bytes::copy_from_slice(text.as_bytes()), After::Stay, usize::MAX)
                    .to_string())
            }
            (unknown, _) => Err(SqlError::new(format!("unknown: {unknown}"))),
        }
    }

    /// Puts an object whose body is its key.
    async fn put(&self, key: &str, condition: PutCondition) -> Result<String, SqlError> {
        let body = Bytes::copy_from_slice(key.as_bytes());
        Ok(match self.state.bucket().put(key, body, condition, LIMIT_MS).await {
            Ok(PutOutcome::Stored) => "stored".into(),
            Ok(PutOutcome::Refused) => "refused".into(),
            Err(error) => told(&error),
        })
    }

    fn append(&self, text: &str) -> Result<(), SqlError> {
        let mut salt = [0; 2];
        self.state.fill_random(&mut salt);
        let sql = self.state.sql();
        sql.run("CREATE TABLE IF NOT EXISTS rows (id INTEGER PRIMARY KEY, text TEXT, salt BLOB)", &[])?;
        sql.run("INSERT INTO rows (text, salt) VALUES (?1, ?2)", &[SqlParam::Text(text), SqlParam::Blob(&salt)])
    }

    fn rows(&self) -> Result<u64, SqlError> {
        let sql = self.state.sql();
        let table = "SELECT count(*) FROM sqlite_schema WHERE name = 'rows'";
        match sql.first(table, &[], |row| row.count(0))? {
            Some(1) => Ok(sql.first("SELECT count(*) FROM rows", &[], |row| row.count(0))?.unwrap_or_default()),
            _ => Ok(0),
        }
    }
}

fn told(error: &StoreError) -> String {
    match error {
        StoreError::NotApplied(_) => "not applied".into(),
        StoreError::Unknown(_) => "unknown".into(),
    }
}
