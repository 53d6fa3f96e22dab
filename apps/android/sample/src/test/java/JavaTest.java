import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertThrows;
import static org.junit.Assert.assertTrue;

import java.io.File;
import java.util.List;
import org.junit.Test;
import org.tfminilm.BundleException;
import org.tfminilm.Classification;
import org.tfminilm.FolderFiles;
import org.tfminilm.LiteRtEngine;
import org.tfminilm.ModelBundle;
import org.tfminilm.SequenceClassifier;
import org.tfminilm.Tokenizer;
import org.tfminilm.Tokens;

/** The library as Java sees it. */
public class JavaTest {
    private final File folder = new File(System.getProperty("tfminilm.bundle"));

    @Test
    public void classifies() throws BundleException {
        ModelBundle bundle = ModelBundle.open(new FolderFiles(folder));
        try (LiteRtEngine engine = new LiteRtEngine(bundle)) {
            Classification found = new SequenceClassifier(bundle, engine).classify("A warm film.");
            String label = found.getLabels().get(found.getBest());
            assertTrue(found.toString(), found.toString().startsWith(label + " "));
        }
    }

    @Test
    public void cutsATextIntoTokens() throws BundleException {
        Tokenizer tokenizer = ModelBundle.open(new FolderFiles(folder)).tokenizer();
        Tokens tokens = new Tokens();
        tokenizer.encode("A warm film.", tokens);
        assertEquals(4, tokens.getSize());
        assertTrue(tokens.toString(), tokens.toString().contains("4 tokens"));
    }

    @Test
    public void saysWhyABundleCannotBeOpened() {
        FolderFiles nothing = new FolderFiles(new File(folder, "none"));
        try {
            ModelBundle.open(nothing);
            throw new AssertionError("opened nothing");
        } catch (BundleException error) {
            assertEquals(BundleException.Code.UNREADABLE, error.getCode());
            assertTrue(error.getMessage(), error.getMessage().contains("manifest.json"));
        }
    }
}
