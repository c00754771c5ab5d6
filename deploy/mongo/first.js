// The first member makes the replica set where there is none; it is healthy when it is one of it.
try {
  rs.status();
} catch {
  const members = ["mongo-1", "mongo-2", "mongo-3"].map((host, _id) => ({ _id, host: `${host}:27017` }));
  rs.initiate({ _id: "mbus", members });
}
const hello = db.hello();
quit(hello.isWritablePrimary || hello.secondary ? 0 : 1);
