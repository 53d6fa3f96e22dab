import ai.djl.huggingface.tokenizers.Encoding;
import ai.djl.huggingface.tokenizers.HuggingFaceTokenizer;
import com.sun.management.OperatingSystemMXBean;
import com.sun.management.ThreadMXBean;
import java.io.PrintWriter;
import java.lang.management.ManagementFactory;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.function.Function;
import org.tfminilm.Tokens;
import org.tfminilm.WordPieceTokenizer;
import org.tfminilm.WordRules;

/**
 * Times one tokenizer on the lines of a file, and writes the ids that it gives.
 *
 * <p>Arguments: tfminilm, djl or djl_batch; the folder of the files; how often.
 */
public final class Compare {
    private static final int BATCH = 64;
    private static final ThreadMXBean THREADS =
            (ThreadMXBean) ManagementFactory.getThreadMXBean();

    /** Of all threads of the process: other programs' time does not count. */
    private static double seconds() {
        return ((OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean()).getProcessCpuTime() / 1e9;
    }

    private static long allocated() {
        return THREADS.getThreadAllocatedBytes(Thread.currentThread().getId());
    }

    /** Encodes all lines; ids are kept only where they are asked for. */
    private interface Engine {
        void encode(List<String> lines, Function<long[], Void> keep) throws Exception;
    }

    private static Engine tfminilm(Path folder) throws Exception {
        List<String> words = Files.readAllLines(folder.resolve("vocab.txt"));
        int unknown = words.indexOf("[UNK]");
        WordPieceTokenizer tokenizer =
                new WordPieceTokenizer(words, unknown, WordRules.BERT, true, true, "##");
        Tokens tokens = new Tokens(256);
        return (lines, keep) -> {
            for (String line : lines) {
                tokenizer.encode(line, tokens, 0, line.length(), Integer.MAX_VALUE);
                if (keep != null) {
                    keep.apply(Arrays.stream(tokens.getIds(), 0, tokens.getSize()).asLongStream().toArray());
                }
            }
        };
    }

    private static Engine djl(Path folder, boolean inBatches) throws Exception {
        HuggingFaceTokenizer tokenizer =
                HuggingFaceTokenizer.builder()
                        .optTokenizerPath(folder.resolve("tokenizer.json"))
                        .optAddSpecialTokens(false)
                        .optTruncation(false)
                        .optPadding(false)
                        .build();
        return (lines, keep) -> {
            for (int at = 0; at < lines.size(); at += inBatches ? BATCH : 1) {
                Encoding[] found =
                        inBatches
                                ? tokenizer.batchEncode(lines.subList(at, Math.min(at + BATCH, lines.size())))
                                : new Encoding[] {tokenizer.encode(lines.get(at))};
                for (Encoding each : found) {
                    long[] ids = each.getIds();
                    if (keep != null) {
                        keep.apply(ids);
                    }
                }
            }
        };
    }

    public static void main(String[] arguments) throws Exception {
        String name = arguments[0];
        Path folder = Path.of(arguments[1]);
        List<String> lines = Files.readAllLines(folder.resolve("lines.txt"));
        long bytes = Files.size(folder.resolve("lines.txt"));
        double start = seconds();
        long before = allocated();
        Engine engine = name.equals("tfminilm") ? tfminilm(folder) : djl(folder, name.equals("djl_batch"));
        engine.encode(lines.subList(0, 1), null);
        double cold = 1000 * (seconds() - start);
        double coldHeap = (allocated() - before) / 1e6;
        double best = Double.MAX_VALUE;
        double heap = 0;
        for (int run = 0; run < Integer.parseInt(arguments[2]); run++) {
            before = allocated();
            start = seconds();
            engine.encode(lines, null);
            best = Math.min(best, seconds() - start);
            heap = (allocated() - before) / 1e6;
        }
        try (PrintWriter file =
                new PrintWriter(folder.resolve(name + ".ids").toFile(), StandardCharsets.UTF_8)) {
            engine.encode(
                    lines,
                    ids -> {
                        file.println(Arrays.toString(ids));
                        return null;
                    });
        }
        System.out.printf(
                "%s | %.0f ms | %.1f MB | %.1f MB/s | %.3f MB%n",
                name, cold, coldHeap, bytes / 1e6 / best, heap);
    }
}
