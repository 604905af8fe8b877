// Builds the real InfluxDB 2.7 server for the tests; nothing of it is shipped.
module shifu/tests/services/influxd

go 1.22

require github.com/influxdata/influxdb/v2 v2.7.12

// The same line stands in InfluxDB's own go.mod; a replace is not inherited.
replace github.com/nats-io/nats-streaming-server v0.11.2 => github.com/influxdata/nats-streaming-server v0.11.3-0.20201112040610-c277f7560803
