// server.groovy HTTP_PORT TRANSPORT_PORT FOLDER: an Elasticsearch of one node, without what its distribution adds, on 127.0.0.1.
import java.nio.file.Paths
import org.elasticsearch.common.settings.Settings
import org.elasticsearch.env.Environment
import org.elasticsearch.node.Node
import org.elasticsearch.transport.Netty4Plugin

class OneNode extends Node {
  OneNode(Settings settings, String folder) {
    super(new Environment(settings, Paths.get(folder, 'config')), [Netty4Plugin], false)
  }
}

def (http, transport, folder) = args
new OneNode(Settings.builder()
    .put('path.home', folder)
    .put('cluster.name', 'test')
    .put('node.name', 'one')
    .put('discovery.type', 'single-node')
    .put('network.host', '127.0.0.1')
    .put('http.port', http)
    .put('transport.port', transport)
    .put('http.type', 'netty4')
    .put('transport.type', 'netty4')
    .put('cluster.routing.allocation.disk.threshold_enabled', false)
    .build(), folder).start()
Thread.currentThread().join()
