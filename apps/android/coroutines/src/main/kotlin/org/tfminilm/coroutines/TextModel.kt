package org.tfminilm.coroutines

import java.io.Closeable
import java.nio.FloatBuffer
import kotlinx.coroutines.CoroutineDispatcher
import kotlinx.coroutines.CoroutineStart
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.awaitCancellation
import kotlinx.coroutines.coroutineScope
import kotlinx.coroutines.flow.Flow
import kotlinx.coroutines.flow.map
import kotlinx.coroutines.launch
import kotlinx.coroutines.sync.Mutex
import kotlinx.coroutines.sync.withLock
import kotlinx.coroutines.withContext
import org.tfminilm.Answers
import org.tfminilm.BundleException
import org.tfminilm.BundleFiles
import org.tfminilm.Cancellation
import org.tfminilm.Classification
import org.tfminilm.Engine
import org.tfminilm.Entity
import org.tfminilm.LabelScores
import org.tfminilm.LiteRtEngine
import org.tfminilm.ModelBundle
import org.tfminilm.MultiLabelClassifier
import org.tfminilm.QuestionAnswerer
import org.tfminilm.SentenceEncoder
import org.tfminilm.SequenceClassifier
import org.tfminilm.TextScorer
import org.tfminilm.TokenClassifier
import org.tfminilm.TokenSequence

/**
 * A model for coroutines: any of them may ask it, from any thread.
 *
 * It answers one request after another, in their order, on threads of its
 * dispatcher. Who waits is suspended and blocks no thread. Cancelling a
 * coroutine ends its request: at once if it still waits, otherwise as soon as
 * the engine allows, which is between two operators of the model on
 * [LiteRtEngine], and between two windows of a long text on any engine. The
 * requests behind it are not touched.
 */
class TextModel private constructor(
    val bundle: ModelBundle,
    engine: Engine,
    private val dispatcher: CoroutineDispatcher,
) : Closeable {
    private val engine = StoppableEngine(engine)
    private val mutex = Mutex()
    private val classifier by lazy { SequenceClassifier(bundle, this.engine) }
    private val multiLabel by lazy { MultiLabelClassifier(bundle, this.engine) }
    private val scorer by lazy { TextScorer(bundle, this.engine) }
    private val tagger by lazy { TokenClassifier(bundle, this.engine) }
    private val encoder by lazy { SentenceEncoder(bundle, this.engine) }
    private val answerer by lazy { QuestionAnswerer(bundle, this.engine) }

    /** @see SequenceClassifier.classify */
    suspend fun classify(text: String, other: String? = null): Classification =
        request { classifier.classify(text, other) }

    /** Classifies each text of a flow, as it is collected. */
    fun classify(texts: Flow<String>): Flow<Classification> = texts.map { classify(it) }

    /** @see MultiLabelClassifier.classify */
    suspend fun labels(text: String, other: String? = null): LabelScores =
        request { multiLabel.classify(text, other) }

    /** @see TextScorer.score */
    suspend fun score(text: String, other: String? = null): Float =
        request { scorer.score(text, other) }

    /** @see TokenClassifier.find */
    suspend fun entities(text: String): List<Entity> =
        request { tagger.find(text) { it.isCancelled } }

    /** @see SentenceEncoder.encode */
    suspend fun encode(text: String): FloatArray = request { encoder.encode(text) }

    /** A vector for each text of a flow, as it is collected. */
    fun encode(texts: Flow<String>): Flow<FloatArray> = texts.map { encode(it) }

    /** @see QuestionAnswerer.answer */
    suspend fun answer(question: String, text: String): Answers =
        request { answerer.answer(question, text) { it.isCancelled } }

    /** Waits for the request that is in progress; those behind it fail. */
    override fun close() = engine.close()

    /** Does some work alone, and lets this coroutine's cancellation stop it. */
    private suspend fun <T> request(work: (Cancellation) -> T): T = mutex.withLock {
        coroutineScope {
            val cancellation = Cancellation()
            // It runs on the thread that cancels, as this one's may be at work.
            val watcher = launch(Dispatchers.Unconfined, CoroutineStart.UNDISPATCHED) {
                try {
                    awaitCancellation()
                } finally {
                    cancellation.cancel()
                }
            }
            try {
                withContext(dispatcher) {
                    engine.cancellation = cancellation
                    work(cancellation)
                }
            } finally {
                watcher.cancel()
            }
        }
    }

    companion object {
        /**
         * Opens a bundle on a thread of the [dispatcher].
         *
         * @param engine makes the engine, which is the model's own and closed with it.
         * @throws BundleException the bundle or the runtime cannot be used.
         */
        suspend fun open(
            files: BundleFiles,
            dispatcher: CoroutineDispatcher = Dispatchers.Default,
            engine: (ModelBundle) -> Engine = { LiteRtEngine(it) },
        ): TextModel = withContext(dispatcher) {
            val bundle = ModelBundle.open(files)
            TextModel(bundle, engine(bundle), dispatcher)
        }
    }
}

/** An engine whose runs the request at hand can stop. */
private class StoppableEngine(private val engine: Engine) : Engine by engine {
    var cancellation = Cancellation()

    override fun run(sequence: TokenSequence): Map<String, FloatBuffer> =
        engine.run(sequence, cancellation)
}
