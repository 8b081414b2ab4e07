package app;

import com.sun.net.httpserver.*;
import java.io.*;
import java.net.*;
import java.nio.charset.*;
import java.nio.file.*;
import java.security.*;
import java.text.*;
import java.time.*;
import java.time.format.*;
import java.util.*;
import java.util.concurrent.Executors;
import javax.net.ssl.*;

public class Main {
    interface Page { String answer(String argument) throws Exception; }

    static final Map<String, Page> PAGES = new TreeMap<>();

    static String hex(byte[] bytes) { return HexFormat.of().formatHex(bytes); }

    public static void main(String[] arguments) throws Exception {
        PAGES.put("charset", a -> hex("grüße 日本".getBytes(Charset.forName(a))));
        PAGES.put("zone", a -> Instant.ofEpochSecond(1700000000).atZone(ZoneId.of(a.replace('~', '/'))).toString());
        PAGES.put("locale", a -> DateTimeFormatter.ofLocalizedDate(FormatStyle.FULL).withLocale(Locale.forLanguageTag(a)).format(LocalDate.of(2024, 3, 1))
            + " " + NumberFormat.getCurrencyInstance(Locale.forLanguageTag(a)).format(1234.5));
        PAGES.put("bundle", a -> ResourceBundle.getBundle("text.messages", Locale.forLanguageTag(a)).getString("hello"));
        PAGES.put("filters", a -> { StringBuilder s = new StringBuilder(); for (Filter f : ServiceLoader.load(Filter.class)) s.append(f.run(a)).append(' '); return s.toString(); });
        PAGES.put("reflect", a -> ((Filter) Class.forName("app." + a).getDeclaredConstructor().newInstance()).run("reflected"));
        PAGES.put("digest", a -> hex(MessageDigest.getInstance(a).digest(new byte[] {'x'})));
        PAGES.put("cipher", a -> { javax.crypto.Cipher c = javax.crypto.Cipher.getInstance(a.replace('~', '/')); c.init(1, new javax.crypto.spec.SecretKeySpec(new byte[16], "AES")); return "" + c.doFinal(new byte[20]).length; });
        PAGES.put("key", a -> KeyPairGenerator.getInstance(a).generateKeyPair().getPublic().getAlgorithm());
        PAGES.put("providers", a -> { StringBuilder s = new StringBuilder(); for (Provider p : Security.getProviders()) s.append(p.getName()).append(' '); return s.toString(); });
        PAGES.put("xml", a -> javax.xml.parsers.DocumentBuilderFactory.newInstance().newDocumentBuilder().parse(new ByteArrayInputStream("<a><b>x</b></a>".getBytes())).getDocumentElement().getTextContent());
        PAGES.put("xslt", a -> { StringWriter w = new StringWriter(); javax.xml.transform.TransformerFactory.newInstance().newTransformer().transform(new javax.xml.transform.stream.StreamSource(new StringReader("<a/>")), new javax.xml.transform.stream.StreamResult(w)); return w.toString(); });
        PAGES.put("script", a -> "" + java.util.logging.Logger.getLogger("x").getName() + java.lang.management.ManagementFactory.getRuntimeMXBean().getSpecVersion());
        PAGES.put("zip", a -> { try (FileSystem fs = FileSystems.newFileSystem(Path.of("/opt/server/lib/server.jar"))) { return "" + Files.exists(fs.getPath("/app/Main.class")); } });
        PAGES.put("fetch", a -> { try { return new String(new URL("https://" + a + "/").openStream().readAllBytes()); } catch (SSLException e) { return "not trusted"; } });
        PAGES.put("client", a -> { try { return java.net.http.HttpClient.newHttpClient().send(java.net.http.HttpRequest.newBuilder(URI.create("https://" + a + "/")).build(), java.net.http.HttpResponse.BodyHandlers.ofString()).body(); } catch (SSLException e) { return "not trusted"; } });
        PAGES.put("lookup", a -> { try { return InetAddress.getByName(a).isAnyLocalAddress() ? "any" : "found"; } catch (UnknownHostException e) { return "unknown"; } });
        PAGES.put("run", a -> new String(new ProcessBuilder("uname", "-s").start().getInputStream().readAllBytes()));
        PAGES.put("user", a -> System.getProperty("user.name") + " " + Files.getOwner(Path.of("/etc/passwd")).getName());
        PAGES.put("properties", a -> System.getProperty("java.version").startsWith("17") + " " + Charset.defaultCharset());
        PAGES.put("mail", a -> URLConnection.guessContentTypeFromName("a." + a) + "");
        PAGES.put("fail", a -> { throw new IllegalStateException("on purpose"); });
        if (arguments.length == 2) { System.out.println(PAGES.get(arguments[0]).answer(arguments[1])); return; }
        HttpServer plain = HttpServer.create(new InetSocketAddress(8080), 0);
        HttpsServer secure = HttpsServer.create(new InetSocketAddress(8443), 0);
        KeyStore keys = KeyStore.getInstance("PKCS12");
        keys.load(new FileInputStream("/etc/server/key.p12"), "changeit".toCharArray());
        KeyManagerFactory factory = KeyManagerFactory.getInstance("SunX509");
        factory.init(keys, "changeit".toCharArray());
        SSLContext context = SSLContext.getInstance("TLS");
        context.init(factory.getKeyManagers(), null, null);
        secure.setHttpsConfigurator(new HttpsConfigurator(context));
        for (HttpServer server : List.of(plain, secure)) {
            server.createContext("/", Main::serve);
            server.setExecutor(Executors.newFixedThreadPool(4));
            server.start();
        }
        Runtime.getRuntime().addShutdownHook(new Thread(() -> System.out.println("ending")));
        System.out.println("listening");
    }

    static void serve(HttpExchange exchange) throws IOException {
        String[] path = exchange.getRequestURI().getPath().split("/", 3);
        Page page = PAGES.get(path[1]);
        int status = 200;
        String text;
        try {
            if (path[1].isEmpty()) text = String.join("\n", PAGES.keySet());
            else if (page == null) { status = 404; text = "missing"; }
            else text = page.answer(path.length > 2 ? path[2] : "");
        } catch (Exception e) { e.printStackTrace(); status = 500; text = e.getClass().getName(); }
        byte[] body = text.getBytes(StandardCharsets.UTF_8);
        exchange.getResponseHeaders().set("Content-Type", "text/plain; charset=utf-8");
        exchange.sendResponseHeaders(status, body.length);
        exchange.getResponseBody().write(body);
        exchange.close();
    }
}
