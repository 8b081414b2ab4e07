require "sinatra"
require "json"

set :host_authorization, permitted_hosts: [] if respond_to?(:host_authorization)
disable :protection

get("/") { '<a href="/page">page</a> <a href="/list">list</a>' }
get("/page") { @name = params["name"]; erb :page }
get("/list") { @name = "list"; haml :list }
post("/json") { status 201; content_type :json; JSON.parse(request.body.read).merge("seen" => true).to_json }
get("/encode/:name") { "grüße 日本".encode(params["name"], undef: :replace, invalid: :replace).unpack1("H*") }
get("/fold") { "ǅ ŒUVRE ß".downcase + "Å".unicode_normalize(:nfd).bytes.length.to_s + ("日本" =~ /\p{Han}/).inspect }
get("/zone/*") { ENV["TZ"] = params["splat"][0]; Time.at(1_700_000_000).to_s }
get("/yaml") { require "yaml"; { "a" => [1, :b, "ü"] }.to_yaml }
get("/csv") { require "csv"; CSV.parse("a;b\n1;2", col_sep: ";", headers: true).map(&:to_h).to_json }
get("/xml") { require "nokogiri"; Nokogiri::XML("<a><b>x</b></a>").xpath("//b").text + Nokogiri::HTML5("<p>y").at("p").text rescue "#{$!.class}" }
get("/rexml") { require "rexml/document"; REXML::Document.new("<a><b>x</b></a>").elements["a/b"].text }
get("/sql") { require "sqlite3"; SQLite3::Database.new(":memory:").execute("select upper('a'), sqlite_version() > '3'").inspect }
get("/hash/:name") { require "openssl"; OpenSSL::Digest.new(params["name"]).hexdigest("x") }
get("/decimal") { require "bigdecimal"; (BigDecimal("1") / 3).round(20).to_s }
get("/set") { require "set"; require "ripper"; require "prime"; [Set[1, 2].size, Ripper.sexp("1").class, 97.prime?].inspect }
get("/pack") { require "zlib"; Zlib.inflate(Zlib.deflate("packed")) }
get("/user/:name") { require "etc"; Etc.getpwnam(params["name"]).dir }
get("/service/:name") { require "socket"; Socket.getservbyname(params["name"]).to_s }
get("/run") { require "open3"; Open3.capture2("sort", stdin_data: "b\na\n").first }
get("/fiber") { Fiber.new { Fiber.yield 1; 2 }.then { |f| [f.resume, f.resume].inspect } }
get("/template/:name") { require params["name"]; "loaded" }
get("/fail") { raise "on purpose" }
get("/fetch") do
  require "net/http"
  Net::HTTP.get(URI(params["url"]))
rescue OpenSSL::SSL::SSLError
  status 502
  "not trusted"
end
