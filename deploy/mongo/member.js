// Healthy: a member that has a place in the replica set, or waits for the first one to give it one.
const hello = db.hello();
quit(hello.isWritablePrimary || hello.secondary || hello.info === "Does not have a valid replica set config" || hello.isreplicaset ? 0 : 1);
