import java.io.File
import org.tfminilm.FolderFiles
import org.tfminilm.LiteRtEngine
import org.tfminilm.ModelBundle
import org.tfminilm.SequenceClassifier

/** Prints what a bundle's model calls a text: `LabelKt BUNDLE TEXT`. */
fun main(arguments: Array<String>) {
    val bundle = ModelBundle.open(FolderFiles(File(arguments[0])))
    LiteRtEngine(bundle).use { engine ->
        println(SequenceClassifier(bundle, engine).classify(arguments[1]))
    }
}
