package org.tfminilm.demo

import org.tfminilm.Engine
import org.tfminilm.LiteRtEngine
import org.tfminilm.MultiLabelClassifier
import org.tfminilm.ProvenModels
import org.tfminilm.QuestionAnswerer
import org.tfminilm.SentenceEncoder
import org.tfminilm.SequenceClassifier
import org.tfminilm.TaskKind
import org.tfminilm.TextScorer
import org.tfminilm.TokenClassifier
import org.tfminilm.Tokenizer

/** A model that is open, and what its task needs: made at once, so that the first text is not slow. */
class OpenModel(val choice: AvailableModel, val engine: Engine, val threads: Int) {
    private val bundle = choice.bundle()
    private val task: Any = when (choice.manifest.task) {
        TaskKind.ENCODER -> SentenceEncoder(bundle, engine)
        TaskKind.CLASSIFICATION -> SequenceClassifier(bundle, engine)
        TaskKind.MULTI_LABEL_CLASSIFICATION -> MultiLabelClassifier(bundle, engine)
        TaskKind.TOKEN_CLASSIFICATION -> TokenClassifier(bundle, engine)
        TaskKind.REGRESSION -> TextScorer(bundle, engine)
        TaskKind.QUESTION_ANSWERING -> QuestionAnswerer(bundle, engine)
    }
    val tokenizer: Tokenizer = bundle.tokenizer()
    val encoder get() = task as SentenceEncoder
    val classifier get() = task as SequenceClassifier
    val labels get() = task as MultiLabelClassifier
    val tagger get() = task as TokenClassifier
    val scorer get() = task as TextScorer
    val answerer get() = task as QuestionAnswerer
}

/** The models that were used last. Touched by one thread alone. */
internal class OpenModels(private val proven: ProvenModels) {
    // The one that was used longest ago comes first.
    private val open = LinkedHashMap<AvailableModel, OpenModel>(4, 0.75f, true)

    fun get(choice: AvailableModel, threads: Int): OpenModel {
        open[choice]?.let { if (it.threads == threads) return it else close(choice) }
        while (open.size >= MAX_OPEN) close(open.keys.first())
        val engine = LiteRtEngine(choice.bundle(), threads, proven)
        engine.warmUp()
        return OpenModel(choice, engine, threads).also { open[choice] = it }
    }

    fun closeAll() = open.keys.toList().forEach(::close)

    private fun close(choice: AvailableModel) {
        open.remove(choice)?.engine?.close()
    }

    private companion object {
        const val MAX_OPEN = 2
    }
}
