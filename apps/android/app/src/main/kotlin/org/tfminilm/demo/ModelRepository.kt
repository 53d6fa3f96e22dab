package org.tfminilm.demo

import android.content.Context
import android.os.Handler
import android.os.Looper
import java.io.File
import java.io.IOException
import java.io.InputStream
import java.util.concurrent.CancellationException
import java.util.concurrent.Executors
import java.util.zip.ZipInputStream
import org.tfminilm.AssetFiles
import org.tfminilm.BundleException
import org.tfminilm.BundleFiles
import org.tfminilm.BundleManifest
import org.tfminilm.Engine
import org.tfminilm.FolderFiles
import org.tfminilm.LiteRtEngine
import org.tfminilm.ModelBundle
import org.tfminilm.QuestionAnswerer
import org.tfminilm.SentenceEncoder
import org.tfminilm.SequenceClassifier

/** A bundle that the user can choose. */
class AvailableModel(val name: String, val manifest: BundleManifest, val files: BundleFiles) {
    val megabytes: Double get() = manifest.files.values.sumOf { it.bytes } / 1e6

    override fun toString() = name
}

/** A model that is open, with what its task needs. */
class OpenModel(val choice: AvailableModel, val bundle: ModelBundle, val engine: Engine) {
    val classifier by lazy { SequenceClassifier(bundle, engine) }
    val answerer by lazy { QuestionAnswerer(bundle, engine) }
    val encoder by lazy { SentenceEncoder(bundle, engine) }
}

/**
 * The bundles of the app's assets and those that the user opened, and a thread
 * that runs them, one request after another.
 */
class ModelRepository(private val context: Context) {
    private val worker = Executors.newSingleThreadExecutor()
    private val main = Handler(Looper.getMainLooper())
    private val ownBundles = File(context.filesDir, FOLDER)
    private val open = LinkedHashMap<String, OpenModel>()
    private val proven = StoredProofs(context)

    /** The name that was chosen last in each spinner, by its id. */
    val chosen = HashMap<Int, String>()

    /** The last benchmark, as JSON. */
    var benchmark: String? = null

    /** Those that say of themselves what they are; the others cannot be chosen. */
    fun available(): List<AvailableModel> {
        val assets = context.assets.list(FOLDER).orEmpty().map {
            it to AssetFiles(context.assets, "$FOLDER/$it")
        }
        val folders = ownBundles.listFiles().orEmpty().sorted().map { it.name to FolderFiles(it) }
        return (assets + folders).mapNotNull { (name, files) -> choice(name, files) }
    }

    private fun choice(name: String, files: BundleFiles): AvailableModel? = try {
        AvailableModel(name, ModelBundle.manifest(files), files)
    } catch (_: IOException) {
        null
    } catch (_: BundleException) {
        null
    }

    /**
     * Runs [work] with a model off the main thread, and [show] on it.
     *
     * A request that [isStale] is dropped before and after its work.
     */
    fun <T> run(
        choice: AvailableModel,
        isStale: () -> Boolean,
        work: (OpenModel) -> T,
        show: (Outcome<T>) -> Unit,
    ) = background(
        isStale,
        {
            sparing {
                val model = opened(choice)
                timed { work(model) }
            }
        },
        show,
    )

    /** Unpacks a bundle from a zip file; its name is shown if all is well. */
    fun add(name: () -> String, stream: () -> InputStream, show: (Outcome<AvailableModel>) -> Unit) =
        background({ false }, { timed { unpack(unused(name()), stream()) } }, show)

    /** Closes the models: memory is short, and the next request opens its own. */
    fun trim() = worker.execute(::closeAll)

    /** Waits until all requests so far are done. */
    fun await() {
        worker.submit {}.get()
    }

    private fun <T> background(
        isStale: () -> Boolean,
        work: () -> Outcome<T>,
        show: (Outcome<T>) -> Unit,
    ) {
        worker.execute {
            if (isStale()) return@execute
            val outcome = outcome(work) ?: return@execute
            main.post { if (!isStale()) show(outcome) }
        }
    }

    /** Once more without the other models, where memory runs out. */
    private fun <T> sparing(work: () -> T): T = try {
        work()
    } catch (_: OutOfMemoryError) {
        closeAll()
        work()
    }

    private fun <T> timed(work: () -> T): Outcome<T> {
        val start = System.nanoTime()
        val value = work()
        return Outcome.Success(value, (System.nanoTime() - start) / 1e6)
    }

    private fun <T> outcome(work: () -> Outcome<T>): Outcome<T>? = try {
        work()
    } catch (_: CancellationException) {
        null
    } catch (error: BundleException) {
        Outcome.Failure(error.message)
    } catch (error: IOException) {
        Outcome.Failure(error.message ?: error.toString())
    } catch (error: RuntimeException) {
        Outcome.Failure(error.message ?: error.toString()) // LiteRT's own.
    } catch (_: OutOfMemoryError) {
        closeAll()
        Outcome.Failure(context.getString(R.string.out_of_memory))
    }

    private fun opened(choice: AvailableModel): OpenModel = open.getOrPut(choice.name) {
        if (open.size >= MAX_OPEN) close(open.keys.first())
        val bundle = ModelBundle.open(choice.files)
        OpenModel(choice, bundle, LiteRtEngine(bundle, proven = proven).also { it.warmUp() })
    }

    private fun close(name: String) {
        open.remove(name)?.engine?.close()
    }

    private fun closeAll() = open.keys.toList().forEach(::close)

    /** A name that no bundle of the assets has. */
    private fun unused(name: String): String =
        if (name in context.assets.list(FOLDER).orEmpty()) "$name 2" else name

    private fun unpack(name: String, stream: InputStream): AvailableModel {
        val folder = File(context.cacheDir, FOLDER).also { it.deleteRecursively() }
        try {
            if (!folder.mkdirs()) throw IOException("There is no room for the bundle")
            ZipInputStream(stream).use { zip -> unpack(zip, folder) }
            val bundle = ModelBundle.open(FolderFiles(folder))
            // What only shows when it is used is said now.
            bundle.tokenizer()
            LiteRtEngine(bundle, proven = proven).close()
            ownBundles.mkdirs()
            val target = File(ownBundles, name)
            close(name)
            target.deleteRecursively()
            if (!folder.renameTo(target)) throw IOException("The bundle cannot be stored")
            return AvailableModel(name, bundle.manifest, FolderFiles(target))
        } finally {
            folder.deleteRecursively()
        }
    }

    /** Files are taken by their last name: none leaves the folder. */
    private fun unpack(zip: ZipInputStream, folder: File) {
        var room = MAX_BYTES
        generateSequence { zip.nextEntry }.filter { !it.isDirectory }.forEach { entry ->
            val name = entry.name.substringAfterLast('/').substringAfterLast('\\')
            if (name == "." || name == ".." || name.isEmpty()) return@forEach
            File(folder, name).outputStream().use { output ->
                val buffer = ByteArray(1 shl 16)
                while (true) {
                    val size = zip.read(buffer)
                    if (size < 0) break
                    room -= size
                    if (room < 0) throw BundleException("The bundle is larger than 500 MB")
                    output.write(buffer, 0, size)
                }
            }
        }
    }

    private companion object {
        const val FOLDER = "bundles"
        const val MAX_OPEN = 2
        const val MAX_BYTES = 500_000_000L
    }
}

/** What became of a request. */
sealed class Outcome<out T> {
    class Success<T>(val value: T, val milliseconds: Double) : Outcome<T>()

    class Failure(val message: String) : Outcome<Nothing>()
}
